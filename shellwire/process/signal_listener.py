"""Signal handlers for the event loop that survive bursts of signals."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

_CHUNK = 4096


class SignalListener:
    """Signal callbacks that run in the event loop; for the main thread only (signal(2)).

    ``loop.add_signal_handler`` makes one call for each byte that Python writes for a signal. When
    a thousand processes end together its socket overflows: Python prints a warning for each, and
    the byte of a SIGTERM behind them is lost. Here Python's handler records the signal, the byte
    only wakes the loop, and a burst is one call. Don't use add_signal_handler together with this.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._old: dict[int, object] = {}
        self._pending: set[int] = set()
        self._reading, self._writing = socket.socketpair()
        self._reading.setblocking(False)
        self._writing.setblocking(False)
        self._loop.add_reader(self._reading, self._wake)
        self._old_wakeup = signal.set_wakeup_fd(self._writing.fileno(), warn_on_full_buffer=False)

    def listen(self, number: signal.Signals, callback: Callable[[], None]) -> None:
        """Call ``callback()`` once, soon after this signal has arrived once or more."""
        self._callbacks[number] = callback
        old = signal.signal(number, lambda arrived, _frame: self._pending.add(arrived))
        self._old.setdefault(number, old)
        if sys.platform != "win32":
            # Python's handler runs between two bytecodes of this thread: restart system calls.
            signal.siginterrupt(number, False)

    def close(self) -> None:
        """Restore the earlier handler of each signal."""
        signal.set_wakeup_fd(self._old_wakeup)
        for number, old in self._old.items():
            signal.signal(number, old)  # type: ignore[arg-type]
        self._loop.remove_reader(self._reading)
        self._reading.close()
        self._writing.close()

    def _wake(self) -> None:
        try:
            while len(self._reading.recv(_CHUNK)) == _CHUNK:
                continue
        except BlockingIOError:
            log.debug("a signal without a byte, or its byte was read before")
        pending, self._pending = self._pending, set()
        for number in sorted(pending):
            self._callbacks[number]()
