"""Run the curl examples of PROTOCOL.md in a shell, against a daemon.

``$ `` begins a command, which continues after a backslash; the lines below it are its output.
``…`` matches any text within a line; a line with only ``…`` matches any number of lines.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

from tests.live import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live import Daemon


_END = re.compile(r"(?<!\\)\n")


def play(daemon: Daemon, text: str, directory: Path) -> None:
    """Run each command in ``directory``; raise AssertionError where the output differs."""
    environ = {
        **os.environ,
        "AUTH": f"Authorization: Bearer {daemon.token}",
        "FILES": f"{daemon.url.replace('ws://', 'http://')}/files",
    }
    for example in text.removeprefix("$ ").split("\n$ "):
        command, _, expected = _END.sub("\0", example, count=1).partition("\0")
        command = command.replace("<directory>", str(directory))
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=directory,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        printed = done.stdout.rstrip("\n")
        assert _pattern(expected).fullmatch(printed), f"$ {command}\n{printed}\nnot\n{expected}"


def _pattern(expected: str) -> re.Pattern[str]:
    lines = [
        r"(?s:.*)" if line == "…" else re.escape(line).replace("…", "[^\n]*")
        for line in expected.split("\n")
    ]
    return re.compile("\n".join(lines))
