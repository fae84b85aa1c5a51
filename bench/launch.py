"""The start of the command line: whole processes, against one that only imports aiohttp."""

from __future__ import annotations

import os
import sys
import time
from itertools import count
from typing import TYPE_CHECKING

from bench.measure import Row, median, pairs, ratio
from bench.wire import Client, Daemon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.measure import Effort

_IMPORT = (sys.executable, "-c", "import aiohttp")
_MOST = 0.65


def launch(effort: Effort) -> list[Row]:
    """Measure ``exec``, ``jobs``, ``logs`` and ``kill`` of the local daemon."""
    turns = effort.times(30)
    rows = []
    with Daemon() as daemon:
        env = {**os.environ, "SHELLWIRE_HOME": str(daemon.home)}
        sleepers = _sleepers(daemon)
        commands: dict[str, Callable[[], tuple[str, ...]]] = {
            "exec -- true": lambda: ("exec", "--", "true"),
            "jobs": lambda: ("jobs",),
            "logs": lambda: ("logs", "kept"),
            "kill": lambda: ("kill", next(sleepers)),
        }
        _start(daemon, "kept", "echo hi; exec sleep 3600")
        for name, words in commands.items():
            rows += _rows(name, words, env, turns)
    return rows


def _sleepers(daemon: Daemon) -> Iterator[str]:
    """Start a job to kill each time that one is asked for, and yield its id."""
    for number in count():
        _start(daemon, f"sleeper-{number}", "exec sleep 3600")
        yield f"sleeper-{number}"


def _start(daemon: Daemon, job: str, command: str) -> None:
    with Client(daemon) as client:
        client.send({"type": "start_session", "id": job, "command": command})
        client.await_type(b"session_started")


def _rows(
    name: str, words: Callable[[], tuple[str, ...]], env: dict[str, str], turns: int
) -> list[Row]:
    ours: list[float] = []
    imports: list[float] = []

    def run(argv: tuple[str, ...], walls: list[float]) -> float:
        wall, processor = _run(argv, env)
        walls.append(wall)
        return processor

    def command() -> tuple[str, ...]:
        return (sys.executable, "-m", "shellwire", *words())

    _run(command(), env)  # compiles the modules of a fresh checkout
    processor = pairs(lambda: run(command(), ours), lambda: run(_IMPORT, imports), turns)
    return [
        _row(f"`{name}`, processor time, × importing aiohttp", processor),
        _row(f"`{name}`, × importing aiohttp", list(zip(ours, imports, strict=True))),
    ]


def _row(what: str, measured: list[tuple[float, float]]) -> Row:
    figure = ratio(measured)
    detail = f"{median([mine for mine, _ in measured]) * 1e3:.0f} ms"
    return Row(what, f"{figure:.2f}", f"≤ {_MOST}", figure <= _MOST, detail)


def _run(argv: tuple[str, ...], env: dict[str, str]) -> tuple[float, float]:
    """Run a program to its end; return the seconds that it took, and those of processor time."""
    null = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1)]
    begun = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, env, file_actions=null)
    _, status, usage = os.wait4(pid, 0)
    took = time.perf_counter() - begun
    if status:
        raise RuntimeError(f"{' '.join(argv)} failed: {os.waitstatus_to_exitcode(status)}")
    return took, usage.ru_utime + usage.ru_stime
