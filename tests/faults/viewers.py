"""A writer and its readers, and the properties that hold of each read."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from shellwire.jobs.buffer import Gap, Piece
from shellwire.jobs.model import Outcome

if TYPE_CHECKING:
    from shellwire.jobs.job import Job
    from shellwire.jobs.viewer import Viewer


CAPACITY = 64


@dataclass(eq=False)
class Writer:
    """A job, and the bytes that it must have written."""

    job: Job
    written: bytearray = field(default_factory=bytearray)
    is_text: bool = True
    """Whether everything written consists of whole characters."""

    @property
    def received(self) -> int:
        """Bytes of it received so far."""
        return self.job.buffer.end


@dataclass(eq=False)
class Reader:
    """A viewer, and the output that it has taken."""

    writer: Writer
    viewer: Viewer
    after: int
    seen: int
    credited: int | None
    is_text: bool
    data: bytearray = field(default_factory=bytearray)
    holes: list[tuple[int, int]] = field(default_factory=list)
    outcome: Outcome | None = None

    @property
    def credited_end(self) -> int:
        """End of the consumed output; a gap counts as consumed once all before it is."""
        end = self.credited or 0
        for begin, close in self.holes:
            if begin <= end:
                end = max(end, close)
        return end

    @property
    def most(self) -> int:
        """Limit of the job's output that may be read for this viewer."""
        if self.is_text:
            return self.viewer.max_offset
        return (self.seen if self.credited is None else self.credited_end) + self.viewer.window

    def take(self, limit: int) -> bool:
        """Take the next event and check it. Returns whether there was one."""
        buffer = self.writer.job.buffer
        at = self.viewer.offset
        assert at == self.seen or self.is_text
        event = self.viewer.take(limit)
        if isinstance(event, Piece):
            self._piece(event, limit)
        elif isinstance(event, Gap):
            # No gap while the unread output fits the buffer.
            assert event.start >= at
            assert event.start == at or self.is_text
            assert buffer.start <= event.end <= buffer.start + 3 * self.is_text
            assert buffer.end - event.start > CAPACITY
            self.holes.append((event.start, event.end))
            self.seen = event.end
        elif event is not None:
            assert isinstance(event, Outcome)
            assert self.outcome is None
            assert self.viewer.offset == len(self.writer.written) == event.at
            self.outcome = event
        elif self.credited is None:
            assert self.viewer.offset == buffer.end
        return event is not None

    def _piece(self, piece: Piece, limit: int) -> None:
        assert piece.data
        assert not piece.background
        if not self.is_text:
            assert piece.end - len(piece.data) == self.seen
            assert piece.data == self.writer.written[self.seen : piece.end]
            assert len(piece.data) <= limit
        elif self.writer.is_text and not self.holes:
            piece.data.decode()
        self.data += piece.data
        self.seen = piece.end
        if self.credited is not None and not self.is_text:
            assert piece.end <= self.credited_end + self.viewer.window

    def check(self) -> None:
        """Check that the output taken is all that was written since attaching, except gaps."""
        if self.is_text:
            whole = self.writer.written[max(0, self.after - 3) : self.viewer.offset]
            # Everything from the first whole character on, except an unfinished one at the end.
            assert self.holes or bytes(self.data) in whole
            assert self.holes or len(self.data) >= self.viewer.offset - self.after - 3
            return
        expected = bytearray(self.writer.written[self.after : self.seen])
        for begin, end in reversed(self.holes):
            del expected[begin - self.after : end - self.after]
        assert sha256(self.data).digest() == sha256(expected).digest()
