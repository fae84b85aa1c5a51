"""The read side of a job: output, notices and outcome, for any number of viewers."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

import msgspec

from shellwire.errors import InvalidMessage
from shellwire.jobs.model import Notice
from shellwire.jobs.output import Output
from shellwire.jobs.viewer import Viewer

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.jobs.model import Outcome, Request


class Readers:
    """What viewers read of one job. ``exceeded()`` is called when the output limit is passed."""

    def __init__(self, request: Request, capacity: int, exceeded: Callable[[], None]) -> None:
        self.output = Output(request, capacity, exceeded)
        self.buffer = self.output.buffer
        self.outcome: Outcome | None = None
        """How the job ended; None until then."""
        self.notices: list[Notice] = []
        self.notice_count = 0
        """The number of notices so far."""
        self.output_ended = False
        """Whether the job can write no more output."""
        self.output_is_lost = False
        """Whether an earlier daemon had the output, so that its length is unknown."""
        self.touched_at = time.monotonic()
        """When a client last asked for the job or stopped reading it."""

    def view(
        self,
        wake: Callable[[], None],
        *,
        after: int = 0,
        window: int | None = None,
        text: bool = False,
        silent: bool = False,
        passive: bool = False,
    ) -> Viewer:
        """Add a viewer that reads from offset ``after`` on.

        ``wake()`` is called when there may be something new. With ``window`` (bytes) the viewer
        reports by ``Viewer.credit`` what its reader has consumed. A ``passive`` one has no effect
        on the job.
        """
        viewer = Viewer(
            self,
            wake,
            after,
            self.output.window(window),
            credited=window is not None,
            text=text,
            silent=silent,
            passive=passive,
            notices=max([0, *[each.number for each in self.notices if each.at < after]]),
        )
        self.output.join(viewer)
        return viewer

    def offset(self, given: int, name: str, *, text: bool, may_extend: bool = True) -> int:
        """Check and return the offset ``given``; for ``text``, its character's start.

        Raises InvalidMessage, about the field ``name``, for an offset beyond the output's end. A
        lost job's output has no known end: any offset is accepted and becomes the end; without
        ``may_extend``, the end is returned.
        """
        if given > self.buffer.end and self.output_is_lost and self.outcome is not None:
            if not may_extend:
                return self.buffer.end
            self.buffer.skip(given)
            self.outcome = msgspec.structs.replace(self.outcome, at=given)
        if given > self.buffer.end:
            raise InvalidMessage(
                f"{name}: expected at most {self.buffer.end}, the end of the job's output,"
                f" got {given}"
            )
        return self.buffer.align(given) if text else given

    def leave(self, viewer: Viewer) -> None:
        """Remove a viewer. The job continues."""
        self.output.leave(viewer)
        if not viewer.passive:
            self.touch()

    def resume_reading(self) -> None:
        """Continue reading from the process if a viewer has taken output or left."""
        self.output.resume_reading()

    def touch(self) -> None:
        """Record that a client asks for this job now."""
        self.touched_at = time.monotonic()

    @property
    def is_read(self) -> bool:
        """Whether the job has a viewer that is not passive."""
        return any(not viewer.passive for viewer in self.output.viewers)

    @property
    def kept_bytes(self) -> int:
        """The size of the retained output in bytes, with collected text."""
        collected = self.outcome.collected if self.outcome is not None else None
        texts = (collected.stdout, collected.stderr) if collected is not None else ()
        return len(self.buffer) + sum(map(len, texts))

    def recent_output(self) -> list[str]:
        """Return the last 10 lines within the last 4,096 bytes of output."""
        text = self.buffer.tail(4096).decode("utf-8", "replace")
        return list(io.StringIO(text, newline="\n"))[-10:]

    def forget(self) -> None:
        """Free the buffer once the last viewer leaves; no new viewer can join."""
        self.output.forget()

    def notify(self, code: str, message: str) -> None:
        """Send every viewer a notice. A newer notice replaces an older one of the same code."""
        self.notice_count += 1
        notice = Notice(code, message, self.notice_count, self.buffer.end)
        # One per code, so the list stays short.
        self.notices = [*(each for each in self.notices if each.code != code), notice]
        self.output.wake()
