"""A sampling profile of the daemon, by part: ``python -m bench.cpu_profile FILE FLAG…``.

The daemon is unchanged, except that the kernel sends it SIGPROF after every few milliseconds of
processor time (setitimer(2), ITIMER_PROF). The first SIGPROF, sent by the benchmark, starts the
timer. Each signal is one sample of the running code; the daemon writes the counts to FILE when it
stops. Time in a library counts for the part that called it.
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

PARTS = {
    "starting the next shell": (
        "shell/launch.py",
        "shell/pool.py",
        "shell/bash.py",
        "process/spawn.py",
    ),
    "events of pipes, pidfd and SIGCHLD; reaping the exit; looking for remaining processes": (
        "process/",
        "jobs/pump.py",
    ),
    "the job, its slot, its buffer, its retention": ("jobs/",),
    "the context, its report": ("shell/",),
    "the journal": ("home/", "daemon/journal.py"),
    "the connection: decode, handle, render, encode, write": ("server/", "protocol/"),
    "the event loop; aiohttp's reading": ("",),
}
"""The parts of the daemon, each with its file name prefixes; the first match counts."""

_EACH = 0.001
_numbers = count()
_HERE = str(Path(shellwire.__file__).parent) + "/"

sampled: Counter[str] = Counter()
"""The number of samples in each of PARTS."""


def part_of(frame: FrameType | None) -> str:
    """Return the part of PARTS that is running: that of the innermost shellwire frame."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(_HERE):
            name = frame.f_code.co_filename[len(_HERE) :]
            return next(what for what, begins in PARTS.items() if name.startswith(begins))
        frame = frame.f_back
    return list(PARTS)[-1]


def cpu_shares(effort: Effort) -> dict[str, float]:
    """Return the share (0 to 1) of each of PARTS while four clients send at once."""
    with tempfile.TemporaryDirectory(prefix="shellwire-bench-") as directory:
        file = Path(directory) / "sampled"
        program = [sys.executable, "-m", "bench.cpu_profile", str(file)]
        with Daemon(program) as daemon, ExitStack() as stack:
            clients = [stack.enter_context(Client(daemon, f"c{number}")) for number in range(4)]
            acts = [
                lambda client=client: client.run(f"j{next(_numbers)}", ":") for client in clients
            ]
            at_once(acts, 10)
            os.kill(daemon.pid, signal.SIGPROF)
            at_once(acts, effort.times(2000, least=20))
        counted = json.loads(file.read_text())
    return {what: counted.get(what, 0) / sum(counted.values()) for what in PARTS}


def _sample(_number: int, frame: FrameType | None) -> None:
    if not sampled:
        signal.setitimer(signal.ITIMER_PROF, _EACH, _EACH)
    sampled[part_of(frame)] += 1


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
