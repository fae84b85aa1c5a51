"""A read position in a job's output; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.jobs.buffer import Gap

if TYPE_CHECKING:
    from shellwire.jobs.buffer import Buffer, Piece


class Cursor:
    """Reads ``buffer`` from ``offset`` on, as text or as bytes.

    Viewers, pages and collected output all read through a cursor. A cursor that starts at another
    one's offset reads the same as that one would.
    """

    def __init__(self, buffer: Buffer, offset: int, *, text: bool) -> None:
        self.offset = offset
        """The end of what has been read, including bytes that text holds back."""
        self._buffer = buffer
        self._text = text
        self._ends_read = 0
        for each in buffer.incomplete_ends.values():
            self._ends_read += each.end < offset

    def take(self, limit: int) -> Piece | Gap | None:
        """Return what comes next, at most ``limit`` more bytes of output; None if nothing yet.

        A piece of text is empty if all its bytes belong to an incomplete character. A character
        that is incomplete at the end of its stream is a piece of its own, which ends at the
        cursor's offset.
        """
        last = self._next_end()
        if last is not None and self.offset >= self._buffer.start:
            if last.end <= self.offset:
                self._ends_read += 1
                return last
            limit = min(limit, last.end - self.offset)
        event = self._buffer.since(self.offset, limit, text=self._text)
        if event is not None:
            self.offset = event.end
        if isinstance(event, Gap):
            # Incomplete characters that ended within the gap are lost too, as they are for a reader
            # that starts at its end.
            while (last := self._next_end()) is not None and last.end < event.end:
                self._ends_read += 1
        return event

    @property
    def is_at_end(self) -> bool:
        """Whether there is nothing to take now."""
        return self.offset >= self._buffer.end and not self._buffer.incomplete_ends

    def has_read(self, end: int) -> bool:
        """Return whether everything before ``end`` has been read."""
        last = self._next_end()
        return self.offset >= end and (last is None or last.end > end)

    def _next_end(self) -> Piece | None:
        if not self._text or self._ends_read >= len(self._buffer.incomplete_ends):
            return None
        return list(self._buffer.incomplete_ends.values())[self._ends_read]
