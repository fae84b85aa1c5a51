"""Where the daemon's processor time goes, by its rooms: ``python -m bench.shares FILE FLAG…``.

It is the daemon as it is, but for SIGPROF, which the kernel sends it for each few milliseconds of
processor time that it uses (setitimer(2), ITIMER_PROF), from when it is sent the first one. What it
was doing then is written to FILE when it stops. What a library does is counted for the room that
called it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import shellwire
from bench.measure import at_once
from bench.wire import Client, Daemon

if TYPE_CHECKING:
    from types import FrameType

    from bench.measure import Effort

ROOMS = {
    "the next shell is started": (
        "shell/launch.py",
        "shell/pool.py",
        "shell/bash.py",
        "process/spawn.py",
    ),
    "pipes, pidfd and SIGCHLD are heard; the exit is reaped; what was left is looked for": (
        "process/",
        "jobs/pump.py",
    ),
    "the job, its slot, its buffer, what is kept of it": ("jobs/",),
    "the context, its report": ("shell/",),
    "the journal": ("home/", "daemon/journal.py"),
    "the connection: decode, handle, render, encode, write": ("server/", "protocol/"),
    "the event loop; aiohttp's reading": ("",),
}
"""What is told of the time, by the beginnings of the names of files: the first that fits."""

_EACH = 0.001
_numbers = count()
_HERE = str(Path(shellwire.__file__).parent) + "/"

sampled: Counter[str] = Counter()
"""How often each of ROOMS was met."""


def room(frame: FrameType | None) -> str:
    """Return which of ROOMS is at work: the innermost of ours on the stack."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(_HERE):
            name = frame.f_code.co_filename[len(_HERE) :]
            return next(what for what, begins in ROOMS.items() if name.startswith(begins))
        frame = frame.f_back
    return list(ROOMS)[-1]


def shares(effort: Effort) -> dict[str, float]:
    """Return the share (0 to 1) that each of ROOMS has where four clients ask at once."""
    with tempfile.TemporaryDirectory(prefix="shellwire-bench-") as directory:
        file = Path(directory) / "sampled"
        program = [sys.executable, "-m", "bench.shares", str(file)]
        with Daemon(program) as daemon, ExitStack() as stack:
            clients = [stack.enter_context(Client(daemon, f"c{number}")) for number in range(4)]
            acts = [
                lambda client=client: client.run(f"j{next(_numbers)}", ":") for client in clients
            ]
            at_once(acts, 10)
            os.kill(daemon.pid, signal.SIGPROF)
            at_once(acts, effort.times(2000, least=20))
        counted = json.loads(file.read_text())
    return {what: counted.get(what, 0) / sum(counted.values()) for what in ROOMS}


def _sample(_number: int, frame: FrameType | None) -> None:
    if not sampled:
        signal.setitimer(signal.ITIMER_PROF, _EACH, _EACH)
    sampled[room(frame)] += 1


def main(file: str, *flags: str) -> None:
    """Run a daemon with these options until it is stopped."""
    from shellwire.cli import main as command_line

    signal.signal(signal.SIGPROF, _sample)
    sys.argv = ["shellwire", "run", *flags]
    try:
        command_line()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        Path(file).write_text(json.dumps(sampled))


if __name__ == "__main__":
    main(*sys.argv[1:])
