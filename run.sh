#!/usr/bin/env sh
# Run shellwire from this checkout.
#
#   ./run.sh ARGUMENT...       run shellwire with these arguments; return its exit code
#   ./run.sh                   show its help
#   ./run.sh --setup [EXTRA]   only set up the environment (EXTRA: dev, which test.sh needs)
#
# The first run sets up ./.venv, with uv if it is installed, else with venv and pip. Later runs only
# compare a stamp: they start no extra Python and need no network. After a change of pyproject.toml,
# another Python or a moved checkout they set up again. The install is editable: a change of the
# code takes effect at once.
set -eu

# The user's commands inherit the daemon's environment, and assigning to an exported variable here
# would change it for them. So this script activates nothing, and variables outside setup() begin
# with sw_.
sw_self=$0
case $sw_self in */*) ;; *) sw_self=./$sw_self ;; esac
while [ -h "$sw_self" ]; do # in a loop, because not every readlink has -f
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

# The stamp is written only after success. It holds the checkout's path, the interpreter behind
# .venv/bin/python, the checksum of pyproject.toml and the extra.
read_stamp() {
  [ -f "$sw_root/.venv/shellwire.stamp" ] && {
    IFS= read -r sw_stamp_root
    IFS= read -r sw_stamp_python
    IFS= read -r sw_stamp_sum
    IFS= read -r sw_stamp_extra
  } <"$sw_root/.venv/shellwire.stamp"
}

# A venv works only in the directory where it was created, and with the Python that created it.
is_whole() {
  # shellcheck disable=SC3013  # -ef: every sh in use has it, and it costs no process
  read_stamp && [ "$sw_stamp_root" = "$sw_root" ] &&
    [ "$sw_root/.venv/bin/python" -ef "$sw_stamp_python" ]
}

is_fresh() { # EXTRA
  is_whole && [ "$sw_stamp_sum" = "$sw_sum" ] && [ -x "$sw_root/.venv/bin/shellwire" ] &&
    case $1 in '' | "$sw_stamp_extra") ;; *) false ;; esac
}

# Run a command; show its output only if it fails.
quietly() {
  output=$("$@" 2>&1) && return
  printf '%s\n' "$output" >&2
  say "setting up failed: $*"
  return 1
}

find_python() {
  bare=
  for python in python3 python3.14 python3.13 python3.12 python3.11; do
    # run it to check: a name on PATH may be a version manager's shim without a Python
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    "$python" -c 'import ensurepip, venv' 2>/dev/null && return
    bare=${bare:-$python}
  done
  [ -z "$bare" ] ||
    fail "$bare lacks ensurepip: install it (Debian, Ubuntu: apt install python3-venv) or uv"
  fail "no Python 3.11 or newer on PATH: install one, or uv"
}

# The lock for systems or file systems without flock (macOS): a symbolic link. Creating it is
# atomic, and its target names the holder.
take_link_lock() {
  lock=$sw_root/.venv.lock
  [ -w "$sw_root" ] || fail "no permission to write in $sw_root"
  self=$(exec sh -c 'echo "$PPID"') # not $$: that is run.sh, which may die before this subshell
  tries=0
  until ln -s "$self" "$lock" 2>/dev/null; do
    holder=$(readlink "$lock") || continue # just released
    # Only one waiter may remove a dead holder's lock: a second would remove the first one's new
    # lock.
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

# A subshell: its working directory, its variables and its lock on the checkout (descriptor 9, which
# the kernel releases in any case) end with it. It leaves standard input to shellwire.
# shellcheck disable=SC2094  # nothing reads or writes descriptor 9
setup() ( # EXTRA
  extra=$1
  # shellcheck disable=SC3067  # -O: every sh in use has it
  [ ! -e "$sw_root/.venv" ] || [ -O "$sw_root/.venv" ] ||
    fail "$sw_root/.venv belongs to another user; use a checkout of your own"
  say "setting up .venv …"
  flock 9 2>/dev/null || take_link_lock
  if is_fresh "$extra"; then exit; fi # another run.sh has set it up meanwhile

  cd "$sw_root"
  unset PYTHONHOME PYTHONPATH
  if uv --version >/dev/null 2>&1; then
    if ! is_whole; then
      rm -rf .venv
      quietly uv venv --quiet .venv
    fi
    set -- uv pip install --python .venv/bin/python
  else
    if ! is_whole || [ ! -e .venv/bin/pip ]; then # a venv made by uv has no pip
      find_python
      rm -rf .venv
      quietly "$python" -m venv .venv
    fi
    set -- .venv/bin/python -m pip install --disable-pip-version-check
  fi

  # If killed here, this run leaves no stamp, and the next run starts over. If it fails (no
  # network), it restores the old stamp: the old packages still work, and the next run updates them.
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
