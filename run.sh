#!/usr/bin/env sh
# Runs shellwire from this checkout.
#
#   ./run.sh ARGUMENT...       shellwire with these arguments; the exit code is its own
#   ./run.sh                   its help
#   ./run.sh --setup [EXTRA]   only make the environment (EXTRA: dev, what test.sh needs)
#
# The first use makes ./.venv, with uv where there is one, else with venv and pip. Later ones
# compare a stamp: they start no other Python and need no network. A changed pyproject.toml, a
# replaced Python and a moved checkout are noticed. The install is editable: a change of the code
# takes effect at once.
set -eu

# The daemon's environment becomes that of its users' commands, and assigning to a name that is
# exported changes it there. So nothing is activated, and what outlives setup() begins with sw_.
sw_self=$0
case $sw_self in */*) ;; *) sw_self=./$sw_self ;; esac
while [ -h "$sw_self" ]; do # by hand: not every readlink has -f
  sw_link=$(readlink "$sw_self")
  case $sw_link in
    /*) sw_self=$sw_link ;;
    *) sw_self=${sw_self%/*}/$sw_link ;;
  esac
done
sw_root=$(CDPATH='' cd -P -- "${sw_self%/*}/" && pwd -P)
sw_sum=$(cksum <"$sw_root/pyproject.toml")

say() { printf 'shellwire: %s\n' "$*" >&2; }
fail() {
  say "$@"
  exit 1
}

# The stamp, written after success only: the checkout, the interpreter that .venv/bin/python leads
# to, the checksum of pyproject.toml, the extra.
read_stamp() {
  [ -f "$sw_root/.venv/shellwire.stamp" ] && {
    IFS= read -r sw_stamp_root
    IFS= read -r sw_stamp_python
    IFS= read -r sw_stamp_sum
    IFS= read -r sw_stamp_extra
  } <"$sw_root/.venv/shellwire.stamp"
}

# A venv works only where it was made, and with the Python that made it.
is_whole() {
  # shellcheck disable=SC3013  # -ef: every sh in use has it, and it costs no process
  read_stamp && [ "$sw_stamp_root" = "$sw_root" ] &&
    [ "$sw_root/.venv/bin/python" -ef "$sw_stamp_python" ]
}

is_fresh() { # EXTRA
  is_whole && [ "$sw_stamp_sum" = "$sw_sum" ] && [ -x "$sw_root/.venv/bin/shellwire" ] &&
    case $1 in '' | "$sw_stamp_extra") ;; *) false ;; esac
}

# Says nothing when all is well, and everything when it is not.
quietly() {
  output=$("$@" 2>&1) && return
  printf '%s\n' "$output" >&2
  say "setting up failed: $*"
  return 1
}

find_python() {
  bare=
  for python in python3 python3.14 python3.13 python3.12 python3.11; do
    # asked, not looked for: a name on PATH may be a version manager's shim without a Python
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    "$python" -c 'import ensurepip, venv' 2>/dev/null && return
    bare=${bare:-$python}
  done
  [ -z "$bare" ] ||
    fail "$bare lacks ensurepip: install it (Debian, Ubuntu: apt install python3-venv) or uv"
  fail "no Python 3.11 or newer on PATH: install one, or uv"
}

# For where there is no flock (macOS), or none on this file system: a symbolic link, whose making is
# atomic and whose target names the holder.
take_link_lock() {
  lock=$sw_root/.venv.lock
  [ -w "$sw_root" ] || fail "no permission to write in $sw_root"
  self=$(exec sh -c 'echo "$PPID"') # $$ would be run.sh, which may be killed before its subshell
  tries=0
  until ln -s "$self" "$lock" 2>/dev/null; do
    holder=$(readlink "$lock") || continue # released just now
    # One waiter alone may bury a dead holder, or a second would take away the first one's lock.
    if ! kill -0 "$holder" 2>/dev/null && mkdir "$lock.$holder" 2>/dev/null; then
      [ "$(readlink "$lock")" != "$holder" ] || rm -f "$lock"
      rmdir "$lock.$holder"
      continue
    fi
    tries=$((tries + 1))
    [ "$tries" -le 4500 ] || fail "another run.sh (pid $holder) seems stuck: see $lock"
    sleep 0.2 2>/dev/null || sleep 1
  done
  trap 'rm -f "$lock"' EXIT
}

# A subshell: its directory, its variables and its lock on the checkout (descriptor 9; the kernel
# releases it whatever happens) end with it. Standard input is left to shellwire.
# shellcheck disable=SC2094  # nothing reads or writes descriptor 9
setup() ( # EXTRA
  extra=$1
  # shellcheck disable=SC3067  # -O: every sh in use has it
  [ ! -e "$sw_root/.venv" ] || [ -O "$sw_root/.venv" ] ||
    fail "$sw_root/.venv belongs to another user, and can't be used by you: take a checkout of yours"
  say "setting up .venv …"
  flock 9 2>/dev/null || take_link_lock
  if is_fresh "$extra"; then exit; fi # another run.sh did it meanwhile

  cd "$sw_root"
  unset PYTHONHOME PYTHONPATH
  if uv --version >/dev/null 2>&1; then
    if ! is_whole; then
      rm -rf .venv
      quietly uv venv --quiet .venv
    fi
    set -- uv pip install --python .venv/bin/python
  else
    if ! is_whole || [ ! -e .venv/bin/pip ]; then # uv makes one without pip
      find_python
      rm -rf .venv
      quietly "$python" -m venv .venv
    fi
    set -- .venv/bin/python -m pip install --disable-pip-version-check
  fi

  # Killed in here, it leaves no stamp, and the next one starts over. Failed (no network), it gives
  # the old stamp back: what was there is there still, and is to be brought up to date.
  stamp=.venv/shellwire.stamp
  if [ -f "$stamp" ]; then mv "$stamp" "$stamp.old"; fi
  if ! quietly "$@" --quiet --editable ".${extra:+[$extra]}"; then
    if [ -f "$stamp.old" ]; then mv "$stamp.old" "$stamp"; fi
    exit 1
  fi
  python=$(.venv/bin/python -c 'import os, sys; print(os.path.realpath(sys.executable))')
  printf '%s\n' "$sw_root" "$python" "$sw_sum" "$extra" >"$stamp.new"
  mv "$stamp.new" "$stamp"
) </dev/null 9<"$sw_root"

if [ "${1-}" = --setup ]; then
  is_fresh "${2-}" || setup "${2-}"
  exit
fi
is_fresh '' || setup ''
[ $# -gt 0 ] || set -- --help
exec "$sw_root/.venv/bin/shellwire" "$@"
