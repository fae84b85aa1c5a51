"""SIGINT, SIGTERM and SIGHUP, for a command that follows a job: one handler at a time.

The innermost ``handling`` block says what a signal does. A signal that was ignored when we were
started, as nohup(1) and a shell's ``&`` have it, stays ignored.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from click.exceptions import Exit

from shellwire.cli.errors import note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

END_SECONDS = 3.0
"""Seconds that the daemon, or whoever reads our output, may keep us from ending by a signal."""

JOB_SECONDS = 10.0
"""The same once the daemon has begun to end the job: SIGKILL follows SIGTERM after 2 seconds."""

_ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

_handlers: list[Callable[[int], None]] = []
_cleanups: list[Callable[[], None]] = []
_heeded: list[int] = []
_came: list[int] = []


@contextlib.contextmanager
def handling(handler: Callable[[int], None]) -> Iterator[None]:
    """Call ``handler`` with the number of each such signal while the block runs.

    On Windows, whose event loop hears of no signal, Ctrl-C ends us as it ends any Python program.
    """
    _handlers.append(handler)
    try:
        if len(_handlers) == 1:
            _listen()
        yield
    finally:
        _handlers.remove(handler)
        if not _handlers:
            while _heeded:
                asyncio.get_running_loop().remove_signal_handler(_heeded.pop())


def _listen() -> None:
    if sys.platform == "win32":
        return
    for number in _ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, _dispatch, number)
            _heeded.append(number)


def _dispatch(number: int) -> None:
    _came.append(number)
    _handlers[-1](number)


class Stop:
    """What ends us before there is a job to end, and after it: the first signal cancels our task.

    The second one kills us, and so does time if something does not let itself be cancelled.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        """The signal that came first."""
        self._task = asyncio.current_task()

    def __call__(self, number: int) -> None:
        """Deal with a signal."""
        if self.number is not None or self._task is None:
            again(number)
        else:
            self.number = number
            self._task.cancel()
            die_in(END_SECONDS, number)


@contextlib.contextmanager
def cleaning_up(cleanup: Callable[[], None]) -> Iterator[None]:
    """Have ``cleanup`` called if ``die`` ends us during the block."""
    _cleanups.append(cleanup)
    try:
        yield
    finally:
        _cleanups.remove(cleanup)


def die(number: int) -> None:
    """Die of that signal now, as if we had no handler for it."""
    for cleanup in reversed(_cleanups):
        cleanup()
    for each in _ENDING:
        asyncio.get_running_loop().remove_signal_handler(each)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def again(number: int) -> None:
    """Die of a signal that comes when another one is ending us already, and time will.

    But not of SIGHUP: kernel and shell may both send it when one terminal closes.
    """
    if sys.platform == "win32" or number != signal.SIGHUP:
        die(number)


def die_in(seconds: float, number: int) -> asyncio.TimerHandle:
    """Die of that signal after that time; the timer is returned, which can be cancelled."""
    return asyncio.get_running_loop().call_later(seconds, die, number)


class Ended(Exception):
    """A signal ended us, and not a job whose exit code would be ours."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(what)
        self.number = number

    def exit(self) -> NoReturn:
        """Exit as a shell reports that signal, with a line that says what it has come to."""
        note(f"shellwire: {self}{hint_at_hangup()}")
        raise Exit(128 + self.number)


def hint_at_hangup() -> str:
    """Return how a command outlives its terminal, as the end of a line, if SIGHUP came last."""
    if sys.platform == "win32" or _came[-1:] != [signal.SIGHUP]:
        return ""
    return "; `exec -d` starts a command that goes on when its terminal closes"


def name_of(number: int) -> str:
    """Return ``SIGTERM`` for 15."""
    return signal.Signals(number).name
