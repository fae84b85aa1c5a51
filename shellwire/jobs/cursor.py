"""A place in a job's output from which its bytes are read in order; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.jobs.buffer import Gap

if TYPE_CHECKING:
    from shellwire.jobs.buffer import Buffer, Piece


class Cursor:
    """Reads ``buffer`` from ``offset`` on, as text or as bytes.

    Everything that reads output reads it by this: viewers, pages, collected output. A reader that
    begins where another one has stopped reads what that one would have read next.
    """

    def __init__(self, buffer: Buffer, offset: int, *, text: bool) -> None:
        self.offset = offset
        """The end of what has been read, with the bytes that text passes over."""
        self._buffer = buffer
        self._text = text
        self._ends = sum(each.end < offset for each in buffer.unfinished.values())

    def take(self, limit: int) -> Piece | Gap | None:
        """Return what comes next, at most ``limit`` more bytes of output; None: nothing yet.

        As text a piece may be empty: all its bytes are of a character that is not finished. A
        character that a stream leaves unfinished at its end is a piece of its own, which ends where
        the cursor stands.
        """
        last = self._unfinished()
        if last is not None and self.offset >= self._buffer.start:
            if last.end <= self.offset:
                self._ends += 1
                return last
            limit = min(limit, last.end - self.offset)
        event = self._buffer.since(self.offset, limit, text=self._text)
        if event is not None:
            self.offset = event.end
        if isinstance(event, Gap):
            # What was unfinished before its end is missing with the rest, as for who begins there.
            while (last := self._unfinished()) is not None and last.end < event.end:
                self._ends += 1
        return event

    def has_read(self, end: int) -> bool:
        """Tell whether nothing is left that comes before ``end``."""
        last = self._unfinished()
        return self.offset >= end and (last is None or last.end > end)

    def _unfinished(self) -> Piece | None:
        if not self._text or self._ends >= len(self._buffer.unfinished):
            return None
        return list(self._buffer.unfinished.values())[self._ends]
