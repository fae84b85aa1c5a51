"""A daemon with timestamps in a command's path: ``python -m bench.instrumented FILE FLAG…``.

The daemon is unchanged, except that it reads a clock at the beginning or the end of a few calls. It
writes the readings to FILE when it stops. All processes share the clock (CLOCK_MONOTONIC,
clock_gettime(2)), so a client's own readings fit between them.
"""

from __future__ import annotations

import functools
import importlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shellwire.jobs.job import Job
from shellwire.server.connection import Connection
from shellwire.server.frame_socket import FrameSocket
from shellwire.shell.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Callable

passed: list[tuple[str, int]] = []
"""The passed points, each with its time in nanoseconds."""


def note(point: str) -> None:
    """Record that ``point`` is passed now."""
    passed.append((point, time.perf_counter_ns()))


def _around(owner: type, name: str, before: str | None, after: str | None) -> None:
    original: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(original)
    def noted(*arguments: Any, **named: Any) -> Any:
        if before:
            note(before)
        try:
            return original(*arguments, **named)
        finally:
            if after:
                note(after)

    setattr(owner, name, noted)


def instrument() -> None:
    """Wrap the daemon's functions so that they record the points."""
    importlib.import_module("shellwire.shell.launch")  # defines the subclasses of Shell
    _around(Connection, "_handle", "read", None)
    for kind in Shell.__subclasses__():
        _around(kind, "run", "ready", "command_sent")
    _around(Job, "_reported", "ended", None)
    _around(Job, "_conclude", None, "concluded")
    _around(FrameSocket, "write", "writing", "written")


def main(file: str, *flags: str) -> None:
    """Run a daemon with these options until it is stopped."""
    from shellwire.cli import main as command_line

    instrument()
    sys.argv = ["shellwire", "run", *flags]
    try:
        command_line()
    finally:
        Path(file).write_text(json.dumps(passed))


if __name__ == "__main__":
    main(*sys.argv[1:])
