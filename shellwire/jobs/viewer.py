"""One reader of one job: where it stands, and what comes next for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from shellwire.jobs.buffer import Gap
from shellwire.jobs.cursor import Cursor

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.jobs.buffer import Buffer, Piece
    from shellwire.jobs.model import Notice, Outcome


class Viewed(Protocol):
    """What of a job its viewers look at."""

    buffer: Buffer
    notices: list[Notice]
    noticed: int
    """How many notices there were."""
    outcome: Outcome | None
    output_ended: bool
    """Whether no output can come any more."""

    def advanced(self) -> None:
        """Take note that a viewer has taken something."""
        ...


class Viewer:
    """Pulls what a job has for one reader. ``wake`` is called when there may be something.

    Output comes from ``after`` on, as ``text`` or as bytes; with ``silent`` none does. ``window``
    is how many bytes it may be behind before reading from the process stops: behind what it has
    been given, or, if it is ``credited``, behind what it says that it has consumed.
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
        notices: int = 0,
    ) -> None:
        self.wake = wake
        self.window = window
        self.silent = silent
        self.delivered = False
        """Whether it has taken the outcome."""
        self._job = job
        self._cursor = Cursor(job.buffer, after, text=text)
        # Where the output ended when it came: no piece reaches across.
        self._live = job.buffer.end
        self._text = text
        self._consumed = after if credited else None
        # The end of what it was given last, and whether it has yet to consume that.
        self._given = after
        self._owes = False
        # A gap that was delivered while its reader had yet to consume what comes before it.
        self._gap: Gap | None = None
        # The number of the last notice that it has taken.
        self._notices = notices

    @property
    def offset(self) -> int:
        """The end of what it has taken, or passed over."""
        return self._cursor.offset

    @property
    def reach(self) -> int:
        """The offset up to which the process may be read for it, and it be given output.

        One that has consumed all that it was given may come to know one byte more, whatever the
        window: else a character longer than that could never be finished.
        """
        if self._consumed is None:
            return self.offset + self.window
        reach = self._consumed + self.window
        return reach if self._owes else max(reach, self.offset + 1)

    def credit(self, end: int) -> None:
        """Take note that it has consumed what comes before ``end``; less than before is nothing.

        For text an ``end`` inside a character is that character's beginning.
        """
        if self._consumed is None:
            return
        if end >= self._given:
            self._owes = False
        self._consumed = max(self._consumed, self._job.buffer.align(end) if self._text else end)
        self._pass_gap()
        self._job.advanced()
        self.wake()

    def _pass_gap(self) -> None:
        # Nobody can consume what is not there: who has come to its start has come to its end.
        if self._gap is not None and self._consumed is not None:
            if self._consumed < self._gap.start and self._owes:
                return
            self._consumed = max(self._consumed, self._gap.end)
            self._gap = None

    def take(self, limit: int) -> Piece | Gap | Notice | Outcome | None:
        """Return what comes next, at most ``limit`` bytes of output, or None: nothing yet."""
        job = self._job
        if self._notices < job.noticed:
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
        before = self.offset
        while True:
            event = self._cursor.take(min(limit, self._limit()))
            if event is None or isinstance(event, Gap) or event.data:
                break
        if isinstance(event, Gap):
            self._gap = event
            self._pass_gap()
        elif event is not None:
            self._given, self._owes = event.end, True
        if self.offset > before:
            self._job.advanced()
        return event

    def _limit(self) -> int:
        """Return how many bytes more it may be given now."""
        limit = self.reach - self.offset
        return min(limit, self._live - self.offset) if self.offset < self._live else limit

    @property
    def done(self) -> bool:
        """Whether nothing can come any more."""
        job = self._job
        return (
            self.delivered
            and job.output_ended
            and self._notices == job.noticed
            and (self.silent or self._cursor.has_read(job.buffer.end))
        )
