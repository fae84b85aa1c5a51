"""Processes by portable means, for Windows: pipes but no terminals, no signals except to end.

Threads wait for the processes and read their output. The module works on POSIX systems as well;
only its tests use it there.
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
from shellwire.process.signal_listener import SignalListener
from shellwire.process.threads import ThreadReader, ThreadWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class GroupOptions(TypedDict, total=False):
    """Arguments of Popen that put a process into a group of its own."""

    creationflags: int
    start_new_session: bool


# Ctrl-Break, which asks a process group to end, reaches only groups on the same console. So the
# processes share the daemon's console, which is hidden if the daemon runs in the background.
_NEW_GROUP: GroupOptions
if sys.platform == "win32":
    _NEW_GROUP = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
else:
    _NEW_GROUP = {"start_new_session": True}

# Processes that were started and are not watched by a ThreadReaper yet.
_started: dict[int, tuple[subprocess.Popen[bytes], list[ThreadReader]]] = {}


@dataclass(frozen=True, slots=True)
class Child:
    """A started process and our ends of its pipes."""

    pid: int
    stdin: ThreadWriter | None
    outputs: Mapping[str, ThreadReader]


def start(command: Sequence[str] | str, env: Mapping[str, str], cwd: str, *, stdin: bool) -> Child:
    """Start ``command`` in a process group of its own, in ``cwd``.

    A string is passed unchanged as a Windows command line. Without ``stdin`` the process reads
    end-of-file at once. The caller must have a ThreadReaper watch it. Raises SpawnError with the
    system's reason.
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
                **_NEW_GROUP,
            )
        except (OSError, ValueError) as error:
            name = command if isinstance(command, str) else command[0]
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise SpawnError(f"cannot start {name}: {reason}") from error
        ours.pop_all()
    outputs = {name: ThreadReader(*ends) for name, ends in pipes.items()}
    _started[process.pid] = process, list(outputs.values())
    return Child(process.pid, None if feeding is None else ThreadWriter(feeding), outputs)


class ThreadReaper(Reaper):
    """A Reaper for processes that ``start`` has started. It adopts no orphans."""

    def start(self, signals: SignalListener) -> None:
        """Do nothing: each process has a thread of its own."""

    def watch(self, pid: int, callback: Callable[[Exit], None]) -> None:
        """Call ``callback(exit)`` once, from the loop, when ``pid`` has ended.

        By then all its output can be read. Watching it again replaces the callback.
        """
        self._watched[pid] = (None, callback)
        if pid in _started:
            waiting = (pid, *_started.pop(pid))
            threading.Thread(target=self._wait, args=waiting, name="wait", daemon=True).start()

    def reap_ended(self) -> None:
        """Do nothing: the threads report each end."""

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


class LoopSignalListener(SignalListener):
    """A SignalListener for loops that can't watch a socket (Windows).

    Any signal wakes the loop there, and signals are rare enough for one call each.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._old = {}

    def listen(self, number: signal.Signals, callback: Callable[[], None]) -> None:
        """Call ``callback()`` soon after this signal has arrived."""

        def arrived(_number: int, _frame: object) -> None:
            self._loop.call_soon_threadsafe(callback)

        self._old.setdefault(number, signal.signal(number, arrived))

    def close(self) -> None:
        """Restore the earlier handler of each signal."""
        for number, old in self._old.items():
            signal.signal(number, old)  # type: ignore[arg-type]
