"""The example clients, as a test runs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests import components
from tests.docs.document import ROOT
from tests.live import PATIENCE

if TYPE_CHECKING:
    from tests.live import Daemon


SECONDS = PATIENCE


Done = subprocess.CompletedProcess[str]


class Example:
    """One of the example clients, copied to its own file."""

    def __init__(self, file: Path, *interpreter: str, needs: tuple[str, ...] = ()) -> None:
        self.name = file.name
        self._text = (ROOT / "examples" / self.name).read_text(encoding="utf-8")
        self._file = file
        self._file.write_text(self._text)
        self._command = [*interpreter, str(file)]
        self._environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        for name in needs:
            self._environ["PATH"] = f"{Path(tool(name)).parent}:{self._environ['PATH']}"

    def calls(self, daemon: Daemon) -> None:
        """Make the example use this daemon."""
        self._environ |= {"SHELLWIRE_URL": daemon.url, "SHELLWIRE_TOKEN": daemon.token}

    def change(self, old: str, new: str) -> None:
        """Change the example's text, like a user who copies it."""
        assert self._text.count(old) == 1
        self._file.write_text(self._text.replace(old, new))

    def begin(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        """Start the example."""
        return subprocess.Popen(
            [*self._command, *words],
            env={**self._environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str, stdin: str = "", **variables: str) -> Done:
        """Run ``words`` in the daemon's shell through the example."""
        with self.begin(*words, **variables) as process:
            out, err = process.communicate(stdin, timeout=SECONDS)
            return Done(words, process.returncode, out, err)

    def fails(self, *words: str, **variables: str) -> str:
        """Run the example, which must fail; return its one line of error."""
        done = self(*words, **variables)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr


def tool(name: str) -> str:
    """Return the path of a program that the test's ``needs`` marker names."""
    found = components.find(name)
    assert found is not None, name
    return found


def made(kind: str, stem: str, directory: Path) -> Example:
    """Return the example with this name and language, without a daemon."""
    if kind == "python":
        return Example(directory / f"{stem}.py", sys.executable)
    if kind == "shell":
        return Example(directory / f"{stem}.sh", tool("bash"), needs=("websocat", "jq"))
    node = shutil.which("node")
    assert node, "there is no node on PATH: the examples in JavaScript can't be tested"
    packages = ROOT / "tests" / "node" / "node_modules"
    assert (packages / "ws").is_dir(), f"no package ws in {packages}: run npm install beside it"
    (directory / "node_modules").symlink_to(packages)
    return Example(directory / f"{stem}.mjs", node)
