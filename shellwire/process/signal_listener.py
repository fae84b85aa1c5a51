"""Hearing signals in the event loop, however many come at once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_AT_ONCE = 4096


class Signals:
    """Calls back from the loop when a signal has come; main thread only (signal(2)).

    ``loop.add_signal_handler`` calls once for every byte that Python writes for a signal. When a
    thousand processes end together its socket overflows: a warning is printed for each, and the
    byte of a SIGTERM behind them is lost. Here Python's handler remembers the signal, the byte only
    wakes the loop, and a burst is one call. Use no add_signal_handler beside it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._old: dict[int, object] = {}
        self._come: set[int] = set()
        self._reading, self._writing = socket.socketpair()
        self._reading.setblocking(False)
        self._writing.setblocking(False)
        self._loop.add_reader(self._reading, self._wake)
        self._old_wakeup = signal.set_wakeup_fd(self._writing.fileno(), warn_on_full_buffer=False)

    def listen(self, number: signal.Signals, callback: Callable[[], None]) -> None:
        """Call ``callback()`` soon after one or more of this signal have come."""
        self._callbacks[number] = callback
        old = signal.signal(number, lambda came, _frame: self._come.add(came))
        self._old.setdefault(number, old)
        if sys.platform != "win32":
            # Python's handler runs between two bytecodes of this thread; system calls go on.
            signal.siginterrupt(number, False)

    def close(self) -> None:
        """Give back what each signal meant before."""
        signal.set_wakeup_fd(self._old_wakeup)
        for number, old in self._old.items():
            signal.signal(number, old)  # type: ignore[arg-type]
        self._loop.remove_reader(self._reading)
        self._reading.close()
        self._writing.close()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while len(self._reading.recv(_AT_ONCE)) == _AT_ONCE:
                pass
        come, self._come = self._come, set()
        for number in sorted(come):
            self._callbacks[number]()
