#!/usr/bin/env sh
# Run all checks. ./test.sh sets up its environment (./.venv with the extra "dev", and tests/node),
# then runs ruff, mypy, lint-imports and pytest. It stops at the first failure and returns its exit
# code. With arguments it runs only pytest and passes them on: ./test.sh -k codec (paths are
# relative to the checkout), ./test.sh -m "long or needs" (the tests that ./test.sh without
# arguments leaves to .ci/run).
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

# Install the packages that the tests with a JavaScript client import. Without the packages only
# those tests fail, so a failure here does not stop the run.
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
  # Each test process has its own daemon. Start 1.5 processes per processor, because tests spend
  # time waiting. Tests selected by arguments run in one process.
  processors=$(getconf _NPROCESSORS_ONLN 2>/dev/null) || processors=2
  # .ci/run runs the tests that take long or need a program that may be missing.
  set -- --numprocesses $((processors * 3 / 2)) -m "not long and not needs"
fi
step pytest "$@"
