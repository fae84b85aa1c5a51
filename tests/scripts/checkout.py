"""A checkout whose programs are stand-ins that record their calls."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.live import PATIENCE

CHECKOUT = Path(__file__).parents[2]


TOOLS = ("sh", "cat", "cksum", "env", "ln", "mkdir", "mv", "readlink", "rm", "rmdir", "sleep")


# One script stands in for every program; its name selects which. Like the real ones, `venv` creates
# a Python and `pip install` the commands.
STAND_IN = """#!/bin/sh
name=${0##*/}
printf '%s\\n' "$name $*" >>"$CALLS"
case "$name $*" in
  "$FAILS") echo "what went wrong" >&2; exit 7 ;;
  "$DIES") kill -9 "$PPID" $$ ;;
esac
make() { ln -s "$STAND_IN" "$1"; }
case "$name $*" in
  "uv venv "*) mkdir -p .venv/bin; make .venv/bin/python ;;
  "python"*" -m venv "*) mkdir -p .venv/bin; make .venv/bin/python; make .venv/bin/pip ;;
  *" install --python "* | *" -m pip install "*)
    sleep "${SLOW:-0}"
    for tool in shellwire ruff mypy lint-imports pytest; do
      [ -e ".venv/bin/$tool" ] || make ".venv/bin/$tool"
    done ;;
  "python -c import os, sys;"*) readlink .venv/bin/python ;;
  "npm install "*) mkdir -p node_modules ;;
  "shellwire "*)
    [ -z "${ENVIRONMENT-}" ] || env >"$ENVIRONMENT"
    printf '<%s>' "$PWD" "$@"; cat; exit "${EXITS:-0}" ;;
esac
"""


class Checkout:
    """A copy of the files that the scripts need, with its own PATH."""

    def __init__(self, tmp: Path, programs: Sequence[str]) -> None:
        self.root = tmp / "a check out"
        self.path = tmp / "bin"
        self.stand_in = tmp / "stand-in"
        self.calls_file = tmp / "calls"
        self.root.mkdir()
        self.path.mkdir()
        for name in ("run.sh", "test.sh", "pyproject.toml"):
            shutil.copy(CHECKOUT / name, self.root)
        (self.root / "tests" / "node").mkdir(parents=True)
        shutil.copy(CHECKOUT / "tests" / "node" / "package.json", self.root / "tests" / "node")
        self.stand_in.write_text(STAND_IN)
        self.stand_in.chmod(0o755)
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found, tool
            (self.path / tool).symlink_to(found)
        for program in programs:
            (self.path / program).symlink_to(self.stand_in)

    @property
    def script(self) -> Path:
        return self.root / "run.sh"

    def environment(self, **extra: str) -> dict[str, str]:
        return {
            "PATH": str(self.path),
            "CALLS": str(self.calls_file),
            "STAND_IN": str(self.stand_in),
            "FAILS": "",
            "DIES": "",
            **extra,
        }

    def run(
        self, *command: str | Path, cwd: Path | None = None, stdin: str = "", **extra: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=cwd or self.root.parent,
            env=self.environment(**extra),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def use_flock(self) -> None:
        found = shutil.which("flock")
        assert found
        (self.path / "flock").symlink_to(found)

    def calls(self) -> list[str]:
        """Return the calls since the last time, without version checks."""
        lines = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        self.calls_file.unlink(missing_ok=True)
        return [line for line in lines if " -c " not in line and not line.endswith(" --version")]

    def change_pyproject(self) -> None:
        with (self.root / "pyproject.toml").open("a") as file:
            file.write("# changed\n")


UV_VENV = "uv venv --quiet .venv"


UV_INSTALL = "uv pip install --python .venv/bin/python --quiet --editable ."
