"""A separate environment for each peer, made when it is first needed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".cache"
"""Files that the benchmarks generate; git ignores them."""

_INSIDE = Path(__file__).parent / "inside"
_TIMEOUT = 600.0


class Missing(Exception):
    """A peer is not available here. The text says why, in a few words."""


class Environment:
    """A venv with exactly the packages that ``inside/NAME.txt`` pins."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._pins = _INSIDE / f"{name}.txt"
        made_of = self._pins.read_bytes() + sys.version.encode()
        stamp = hashlib.sha256(made_of).hexdigest()[:12]
        self._directory = CACHE / f"{name}-{stamp}"

    def program(self, name: str) -> str:
        """Return the path of a program in the environment."""
        return str(self._directory / "bin" / name)

    def version(self, package: str) -> str:
        """Return the pinned version of ``package``."""
        for pin in self._pins.read_text().splitlines():
            name, _, version = pin.partition("==")
            if name == package:
                return version
        raise KeyError(package)

    def make(self) -> None:
        """Make the environment unless it exists.

        Raises:
            Missing: there is no network, or no wheel for this Python.
        """
        done = self._directory / "made"
        if done.exists():
            return
        CACHE.mkdir(exist_ok=True)
        for old in CACHE.glob(f"{self._name}-*"):
            shutil.rmtree(old)
        print(f"bench: making the environment of {self._name} …", file=sys.stderr)
        self._run([sys.executable, "-m", "venv", str(self._directory)])
        pip = [self.program("python"), "-m", "pip"]
        self._run([*pip, "install", "--requirement", str(self._pins)])
        done.touch()

    def _run(self, command: list[str]) -> None:
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise Missing(f"not installed: {command[2]} took more than {_TIMEOUT:.0f} s") from None
        except subprocess.CalledProcessError as error:
            said = (error.stderr.strip() or error.stdout.strip()).splitlines()
            last = next((line for line in reversed(said) if line.startswith("ERROR")), said[-1])
            raise Missing(f"not installed: {last.removeprefix('ERROR: ')}") from None
