"""One reader of one job: its position in the output, and the next event to deliver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from shellwire.jobs.buffer import Gap
from shellwire.jobs.cursor import Cursor

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.jobs.buffer import Buffer, Piece
    from shellwire.jobs.model import Notice, Outcome


class Viewed(Protocol):
    """The part of a job that viewers read; ``Readers`` implements it."""

    buffer: Buffer
    notices: list[Notice]
    notice_count: int
    """The number of notices so far."""
    outcome: Outcome | None
    output_ended: bool
    """Whether the job can write no more output."""

    def resume_reading(self) -> None:
        """Continue reading from the process if a viewer has taken output."""
        ...


class Viewer:
    """Pulls a job's output, notices and outcome for one reader.

    ``wake`` is called when ``take`` may return something new. Output starts at ``after``, as
    ``text`` or as bytes; a ``silent`` viewer gets none. A ``passive`` one has no effect on the job:
    it gets a gap when it is too slow. For the others reading from the process stops when it is
    ``window`` bytes ahead of what the viewer has taken, or, if the viewer is ``credited``, ahead of
    what its reader has reported as consumed.
    """

    def __init__(
        self,
        job: Viewed,
        wake: Callable[[], None],
        after: int,
        window: int,
        *,
        credited: bool = False,
        text: bool = False,
        silent: bool = False,
        passive: bool = False,
        notices: int = 0,
    ) -> None:
        self.wake = wake
        self.window = window
        self.silent = silent
        self.passive = passive
        self.delivered = False
        """Whether ``take`` has returned the outcome."""
        self._job = job
        self._cursor = Cursor(job.buffer, after, text=text)
        # The output's end when the viewer joined: no piece crosses it.
        self._joined_at = job.buffer.end
        self._text = text
        self._consumed = after if credited else None
        # The end of the last piece, and whether the reader has yet to consume it.
        self._delivered_end = after
        self._has_unconsumed = False
        # A gap that was delivered while the reader had yet to consume what precedes it.
        self._gap: Gap | None = None
        # The number of the last notice taken.
        self._notices = notices

    @property
    def offset(self) -> int:
        """The end of what has been taken, including bytes that text holds back."""
        return self._cursor.offset

    @property
    def max_offset(self) -> int:
        """The offset up to which the process may be read, and output delivered, for this viewer.

        A reader that has consumed all that it got may get at least one byte more, whatever its
        window: otherwise a character longer than the window could never be completed.
        """
        if self._consumed is None:
            return self._cursor.offset + self.window
        max_offset = self._consumed + self.window
        return max_offset if self._has_unconsumed else max(max_offset, self._cursor.offset + 1)

    def credit(self, end: int) -> None:
        """Record that the reader has consumed everything before ``end``; it can't go back.

        For text an ``end`` inside a character means that character's start.
        """
        if self._consumed is None:
            return
        if end >= self._delivered_end:
            self._has_unconsumed = False
        self._consumed = max(self._consumed, self._job.buffer.align(end) if self._text else end)
        self._consume_gap()
        self._job.resume_reading()
        self.wake()

    def _consume_gap(self) -> None:
        # A gap has no bytes to consume: a reader that has reached its start has passed its end.
        if self._gap is not None and self._consumed is not None:
            if self._consumed < self._gap.start and self._has_unconsumed:
                return
            self._consumed = max(self._consumed, self._gap.end)
            self._gap = None

    @property
    def has_news(self) -> bool:
        """Whether ``take`` may return something."""
        job = self._job
        return (
            job.outcome is not None
            or self._notices < job.notice_count
            or not (self.silent or self._cursor.is_at_end)
        )

    def take(self, limit: int) -> Piece | Gap | Notice | Outcome | None:
        """Return what comes next, at most ``limit`` bytes of output; None if nothing yet."""
        job = self._job
        if self._notices < job.notice_count:
            notice = next(each for each in job.notices if each.number > self._notices)
            self._notices = notice.number
            return notice
        outcome = job.outcome
        if (
            outcome is not None
            and not self.delivered
            and (self.silent or self._cursor.has_read(outcome.at))
        ):
            self.delivered = True
            return outcome
        return None if self.silent else self._take_output(limit)

    def _take_output(self, limit: int) -> Piece | Gap | None:
        before = self._cursor.offset
        if self._cursor.is_at_end:
            return None
        while True:
            event = self._cursor.take(min(limit, self._limit()))
            if event is None or isinstance(event, Gap) or event.data:
                break
        if isinstance(event, Gap):
            self._gap = event
            self._consume_gap()
        elif event is not None:
            self._delivered_end, self._has_unconsumed = event.end, True
        if self._cursor.offset > before:
            self._job.resume_reading()
        return event

    def _limit(self) -> int:
        """Return how many more bytes may be delivered now."""
        limit = self.max_offset - self.offset
        return min(limit, self._joined_at - self.offset) if self.offset < self._joined_at else limit

    @property
    def done(self) -> bool:
        """Whether nothing more will come."""
        job = self._job
        return (
            self.delivered
            and job.output_ended
            and self._notices == job.notice_count
            and (self.silent or self._cursor.has_read(job.buffer.end))
        )
