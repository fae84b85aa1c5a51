"""One reader of one job: where it stands, and what comes next for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from shellwire.jobs.buffer import Gap, Piece

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.jobs.buffer import Buffer
    from shellwire.jobs.model import Notice, Outcome


class Viewed(Protocol):
    """What of a job its viewers look at."""

    buffer: Buffer
    notices: list[Notice]
    noticed: int
    """How many notices there were."""
    outcome: Outcome | None
    silenced: bool
    """Whether no output can come any more."""

    def advanced(self) -> None:
        """Take note that a viewer has taken something."""
        ...


@dataclass(slots=True, eq=False)
class Viewer:
    """Pulls what a job has for one reader. ``wake`` is called when there may be something.

    With ``silent`` it gets everything but output. ``offset`` is the end of what it has taken.
    """

    job: Viewed
    wake: Callable[[], None]
    offset: int
    window: int
    """Bytes that it may be behind before reading from the process stops."""
    credited: int | None = None
    """The end of what it says it has consumed; None when what it has taken counts as that."""
    gap: Gap | None = None
    """One that it has taken, and not come to with what it has consumed."""
    live: int = 0
    """Where the output ended when it came: no piece reaches across."""
    silent: bool = False
    notices: int = 0
    """The number of the last notice that it has taken."""
    told: bool = False
    """Whether it has taken the outcome."""

    @property
    def reach(self) -> int:
        """The offset up to which the process may be read for it."""
        return (self.offset if self.credited is None else self.credited) + self.window

    def credit(self, end: int) -> None:
        """Take note that it has consumed what comes before ``end``; less than before is nothing."""
        if self.credited is None or end <= self.credited:
            return
        self.credited = end
        self._pass_gap()
        self.job.advanced()
        self.wake()

    def _pass_gap(self) -> None:
        # Nobody can consume what is not there: who has come to its start has come to its end.
        if self.gap is not None and self.credited is not None and self.credited >= self.gap.start:
            self.credited = max(self.credited, self.gap.end)
            self.gap = None

    def take(self, limit: int) -> Piece | Gap | Notice | Outcome | None:
        """Return what comes next, at most ``limit`` bytes of output, or None: nothing yet."""
        if self.notices < self.job.noticed:
            notice = next(each for each in self.job.notices if each.number > self.notices)
            self.notices = notice.number
            return notice
        outcome = self.job.outcome
        if outcome is not None and not self.told and (self.silent or self.offset >= outcome.at):
            self.told = True
            return outcome
        if self.silent:
            return None
        if self.offset < self.live:
            limit = min(limit, self.live - self.offset)
        if self.credited is not None:
            limit = min(limit, self.reach - self.offset)
            if limit <= 0:
                return None
        event = self.job.buffer.since(self.offset, limit)
        if event is not None:
            self.offset = event.end
            if self.credited is not None and isinstance(event, Gap):
                self.gap = event
                self._pass_gap()
            self.job.advanced()
        return event

    @property
    def done(self) -> bool:
        """Whether nothing can come any more."""
        return (
            self.told
            and self.job.silenced
            and self.notices == self.job.noticed
            and (self.silent or self.offset >= self.job.buffer.end)
        )
