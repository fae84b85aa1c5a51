#!/usr/bin/env sh
# Checks everything: ./test.sh makes its environment (./.venv with the extra "dev", and tests/node),
# then runs ruff, mypy, lint-imports and pytest, and stops at the first that fails, with its exit
# code. With arguments only pytest runs, and gets them: ./test.sh -k codec (paths count from the
# checkout), ./test.sh -m "long or needs" (the tests that a bare ./test.sh leaves to .ci/run).
set -eu

self=$0
case $self in */*) ;; *) self=./$self ;; esac
while [ -h "$self" ]; do # as in run.sh
  link=$(readlink "$self")
  case $link in
    /*) self=$link ;;
    *) self=${self%/*}/$link ;;
  esac
done
CDPATH='' cd -P -- "${self%/*}/"

warn() { printf 'test.sh: %s\n' "$*" >&2; }

# What the tests with a JavaScript client import. Without it they fail: that is theirs to say, and
# the rest can be tested all the same.
node_packages() (
  cd tests/node
  if ! node --version >/dev/null 2>&1 || ! npm --version >/dev/null 2>&1; then
    warn "no node and npm on PATH: the tests that need them will fail"
    return
  fi
  sum=$(cksum <package.json)
  if [ -f node_modules/.stamp ] && [ "$(cat node_modules/.stamp)" = "$sum" ]; then return; fi
  if output=$(npm install --no-package-lock --no-audit --no-fund --ignore-scripts 2>&1); then
    mkdir -p node_modules
    printf '%s\n' "$sum" >node_modules/.stamp
  else
    printf '%s\n' "$output" >&2
    warn "npm install failed: the tests that need node will fail"
  fi
) </dev/null

step() {
  printf '== %s\n' "$*"
  tool=$1
  shift
  ".venv/bin/$tool" "$@"
}

./run.sh --setup dev
node_packages

if [ $# -eq 0 ]; then
  step ruff check
  step ruff format --check
  step mypy --strict
  step mypy --config-file tests/windows/mypy.ini
  step lint-imports
  # Each process has a daemon of its own. Half as many again as processors, for tests wait for what
  # others do; what is asked for by name runs in one process.
  processors=$(getconf _NPROCESSORS_ONLN 2>/dev/null) || processors=2
  # What takes long, or needs a program that may be missing, .ci/run does afterwards.
  set -- --numprocesses $((processors * 3 / 2)) -m "not long and not needs"
fi
step pytest "$@"
