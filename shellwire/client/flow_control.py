"""Flow control of one job's output: the window asked for, and when to send the next credit.

PROTOCOL.md, Flow control: the daemon sends at most a window past the last credited offset.
"""

from __future__ import annotations

WINDOW = 1024 * 1024
"""Bytes of a job's output that may be unread or in transit; then the job blocks."""

TERMINAL_WINDOW = 64 * 1024
"""The same for live output of a terminal. After Ctrl-C all output in transit is shown before the
prompt, so it must be little."""


class FlowControl:
    """The window of one job: how far its output may be ahead of the program that reads it."""

    def __init__(self, after: int) -> None:
        """``after`` is the offset from which output is wanted."""
        self._credited = after
        # How many bytes of replayed and of live output may be unread.
        self._replay_window = self._live_window = WINDOW

    def choose_window(self, buffer_bytes: int, *, is_terminal: bool) -> int:
        """Return the window to ask for, from a daemon that buffers ``buffer_bytes`` of a job."""
        # A window larger than the buffer: the daemon uses its buffer's size, and waits for credit
        # after that many bytes.
        self._replay_window = min(WINDOW, buffer_bytes)
        live = TERMINAL_WINDOW if is_terminal else WINDOW
        self._live_window = min(live, self._replay_window)
        return self._live_window

    def restart(self, after: int) -> None:
        """Note that an ``attach`` from offset ``after`` is about to be sent."""
        self._credited = after

    def next_credit(self, read: int, live_from: int) -> int | None:
        """Return the offset to credit once output up to ``read`` was read; None if not due yet.

        Output before ``live_from`` is replayed. It is credited ahead of reading, because the
        daemon's window is that of live output, which is small for a terminal.
        """
        ahead = min(read + self._replay_window - self._live_window, live_from)
        end = max(read, ahead)
        if end - self._credited < self._live_window // 2:
            return None
        self._credited = end
        return end
