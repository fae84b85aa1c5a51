"""SIGINT, SIGTERM and SIGHUP of a command that follows a job.

The innermost ``handling`` block handles a signal. A signal that was ignored at the start, as by
nohup(1) and a shell's ``&``, stays ignored.
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

KILL_REQUEST_SECONDS = 3.0
"""Seconds that the daemon, or the reader of our output, may delay our exit after a signal."""

JOB_END_SECONDS = 10.0
"""The same once the daemon is ending the job: SIGKILL follows SIGTERM after 2 seconds."""

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

_handlers: list[Callable[[int], None]] = []
_cleanups: list[Callable[[], None]] = []
_installed: list[int] = []
_received: list[int] = []


@contextlib.contextmanager
def handling(handler: Callable[[int], None]) -> Iterator[None]:
    """Call ``handler`` with the number of each of these signals during the block.

    On Windows, whose event loop has no signal handlers, Ctrl-C raises KeyboardInterrupt as usual.
    """
    _handlers.append(handler)
    try:
        if len(_handlers) == 1:
            _install()
        yield
    finally:
        _handlers.remove(handler)
        if not _handlers:
            while _installed:
                asyncio.get_running_loop().remove_signal_handler(_installed.pop())


def _install() -> None:
    if sys.platform == "win32":
        return
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, _dispatch, number)
            _installed.append(number)


def _dispatch(number: int) -> None:
    _received.append(number)
    _handlers[-1](number)


class CancelOnSignal:
    """The handler while no job runs: the first signal cancels the task.

    A second signal kills this process; a timer does too, if the task does not end.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        """The first signal."""
        self._task = asyncio.current_task()

    def __call__(self, number: int) -> None:
        """Handle a signal."""
        if self.number is not None or self._task is None:
            repeat_signal(number)
        else:
            self.number = number
            self._task.cancel()
            kill_self_after(KILL_REQUEST_SECONDS, number)


@contextlib.contextmanager
def cleaning_up(cleanup: Callable[[], None]) -> Iterator[None]:
    """Have ``kill_self`` call ``cleanup`` if it runs during the block."""
    _cleanups.append(cleanup)
    try:
        yield
    finally:
        _cleanups.remove(cleanup)


def kill_self(number: int) -> None:
    """Die of that signal now, as without a handler."""
    for cleanup in reversed(_cleanups):
        cleanup()
    for each in _SIGNALS:
        asyncio.get_running_loop().remove_signal_handler(each)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def repeat_signal(number: int) -> None:
    """Die of a second signal, unless it is SIGHUP.

    Kernel and shell may both send SIGHUP when one terminal closes. The timer of the first signal
    ends this process then.
    """
    if sys.platform == "win32" or number != signal.SIGHUP:
        kill_self(number)


def kill_self_after(seconds: float, number: int) -> asyncio.TimerHandle:
    """Die of that signal after ``seconds``; return the timer, which can be cancelled."""
    return asyncio.get_running_loop().call_later(seconds, kill_self, number)


class EndedBySignal(Exception):
    """A signal ended this command before there was an exit code of the job."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number

    def exit(self) -> NoReturn:
        """Print the message and exit with 128 + the signal's number, as a shell reports it."""
        note(f"shellwire: {self}{hangup_hint()}")
        raise Exit(128 + self.number)


def hangup_hint() -> str:
    """Return how a command survives its terminal, as the end of a line, if SIGHUP came last."""
    if sys.platform == "win32" or _received[-1:] != [signal.SIGHUP]:
        return ""
    return "; a command started with `exec -d` keeps running when its terminal closes"


def signal_name(number: int) -> str:
    """Return a signal's name: ``SIGTERM`` for 15."""
    return signal.Signals(number).name
