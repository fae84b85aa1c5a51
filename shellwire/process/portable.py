"""Processes as any system has them, Windows among them: pipes, no terminal, no signals but an end.

Threads wait for them and read them. It works on POSIX systems as well, where only its tests use it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from shellwire.errors import SpawnError
from shellwire.process.reap import Exit, Reaper, signal_name
from shellwire.process.signal_listener import Signals
from shellwire.process.threads import ThreadFeeder, ThreadReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Apart(TypedDict, total=False):
    """How Popen is told to put a process into a group of its own."""

    creationflags: int
    start_new_session: bool


# Ctrl-Break, which asks a process group to end, reaches one of the same console only. So they share
# the daemon's, a hidden one if it has been detached.
_APART: Apart
if sys.platform == "win32":
    _APART = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
else:
    _APART = {"start_new_session": True}

# Started, and not yet anybody's to wait for.
_started: dict[int, tuple[subprocess.Popen[bytes], list[ThreadReader]]] = {}


@dataclass(frozen=True, slots=True)
class Child:
    """A started process and our ends of its pipes."""

    pid: int
    stdin: ThreadFeeder | None
    outputs: Mapping[str, ThreadReader]


def start(command: Sequence[str] | str, env: Mapping[str, str], cwd: str, *, stdin: bool) -> Child:
    """Start ``command`` in a process group of its own, in ``cwd``.

    A string is a Windows command line as it is. Without ``stdin`` it reads end-of-file at once. A
    ThreadReaper must watch it. Raises SpawnError with the system's reason.
    """
    with ExitStack() as theirs, ExitStack() as ours:

        def pipe() -> tuple[int, int]:
            reading, writing = os.pipe()
            ours.callback(os.close, reading)
            ours.callback(os.close, writing)
            return reading, writing

        try:
            pipes = {name: pipe() for name in ("stdout", "stderr")}
            given, feeding = None, None
            if stdin:
                given, feeding = os.pipe()
                theirs.callback(os.close, given)
                ours.callback(os.close, feeding)
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL if given is None else given,
                stdout=pipes["stdout"][1],
                stderr=pipes["stderr"][1],
                env=env,
                cwd=cwd,
                **_APART,
            )
        except (OSError, ValueError) as error:
            name = command if isinstance(command, str) else command[0]
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise SpawnError(f"cannot start {name}: {reason}") from error
        ours.pop_all()
    outputs = {name: ThreadReader(*ends) for name, ends in pipes.items()}
    _started[process.pid] = process, list(outputs.values())
    return Child(process.pid, None if feeding is None else ThreadFeeder(feeding), outputs)


class ThreadReaper(Reaper):
    """Calls back when a process that ``start`` has started ends. It adopts nobody."""

    def start(self, signals: Signals) -> None:
        """Do nothing: each process has a thread of its own."""

    def watch(self, pid: int, callback: Callable[[Exit], None]) -> None:
        """Call ``callback(exit)`` once, from the loop, when ``pid`` has ended.

        By then all that it wrote can be read. Watching it again replaces the callback.
        """
        self._watched[pid] = (None, callback)
        if pid in _started:
            waiting = (pid, *_started.pop(pid))
            threading.Thread(target=self._wait, args=waiting, name="wait", daemon=True).start()

    def collect(self) -> None:
        """Do nothing: the threads tell."""

    def _wait(
        self, pid: int, process: subprocess.Popen[bytes], readers: Sequence[ThreadReader]
    ) -> None:
        code = process.wait()
        for reader in readers:
            reader.finish()
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._ended, pid, code)

    def _ended(self, pid: int, code: int) -> None:
        if pid in self._watched:
            _, callback = self._watched.pop(pid)
            callback(Exit(code, signal_name(-code) if code < 0 else None))


class LoopSignals(Signals):
    """Calls back from the loop when a signal has come, where the loop can't watch a socket.

    Windows' own loop is woken by any signal, and each of the few that there are may cost a call.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._old = {}

    def listen(self, number: signal.Signals, callback: Callable[[], None]) -> None:
        """Call ``callback()`` soon after this signal has come."""

        def came(_number: int, _frame: object) -> None:
            self._loop.call_soon_threadsafe(callback)

        self._old.setdefault(number, signal.signal(number, came))

    def close(self) -> None:
        """Give back what each signal meant before."""
        for number, old in self._old.items():
            signal.signal(number, old)  # type: ignore[arg-type]
