"""One reader of one job: where it stands, and what comes next for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.jobs.buffer import Gap, Piece

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.jobs.job import Job
    from shellwire.jobs.model import Notice, Outcome

Event = Piece | Gap


@dataclass(slots=True)
class Viewer:
    """Pulls what a job has for one reader. ``wake`` is called when there may be something.

    With ``silent`` it gets everything but output. ``offset`` is the end of what it has taken.
    """

    job: Job
    wake: Callable[[], None]
    offset: int = 0
    silent: bool = False
    notices: int = 0
    told: bool = False
    """Whether it has taken the outcome."""

    def take(self, limit: int) -> Piece | Gap | Notice | Outcome | None:
        """Return what comes next, at most ``limit`` bytes of output, or None: nothing yet."""
        if self.notices < len(self.job.notices):
            self.notices += 1
            return self.job.notices[self.notices - 1]
        outcome = self.job.outcome
        if outcome is not None and not self.told and (self.silent or self.offset >= outcome.at):
            self.told = True
            return outcome
        if self.silent:
            return None
        event = self.job.buffer.since(self.offset, limit)
        if event is not None:
            self.offset = event.end
            self.job.advanced()
        return event

    @property
    def done(self) -> bool:
        """Whether nothing can come any more."""
        return (
            self.told
            and self.job.silenced
            and self.notices == len(self.job.notices)
            and (self.silent or self.offset >= self.job.buffer.end)
        )
