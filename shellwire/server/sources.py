"""What a connection's writer takes messages from in turns: jobs that are followed, and questions.

A message is made only when the socket has room for it; until then it costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.jobs.poll import Poll
from shellwire.protocol.messages import MAX_PAGE
from shellwire.server import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.jobs.job import Job
    from shellwire.jobs.viewer import Viewer
    from shellwire.protocol.messages import Encoding, ReadOutput, ServerMessage

SLICE = 64 * 1024
"""Bytes of one job's output in one frame at most."""


@dataclass(slots=True, eq=False)
class Feed:
    """A job that the client follows."""

    job: Job
    viewer: Viewer
    encoding: Encoding
    request_id: str | None
    ready: bool = False
    """Whether it waits for its turn; the writer's own."""

    @property
    def done(self) -> bool:
        """Whether nothing can come any more."""
        return self.viewer.done

    def take(self) -> ServerMessage | None:
        """Return the next message, or None: nothing yet."""
        event = self.viewer.take(SLICE)
        if event is None:
            return None
        return render.event(self.job, event, self.encoding, self.request_id)

    def close(self) -> None:
        """Follow it no more; it goes on."""
        self.job.leave(self.viewer)


class Question:
    """A ``read_output`` that waits for its answer, or for its turn."""

    def __init__(
        self,
        job: Job,
        after: int,
        until: bytes | None,
        message: ReadOutput,
        mark: Callable[[Question], None],
    ) -> None:
        self.ready = False
        self.done = False
        self._message = message
        self._poll = Poll(
            job,
            after=after,
            max_bytes=min(message.max_bytes, MAX_PAGE),
            wait=message.wait_ms / 1000,
            until=until,
            ready=lambda: mark(self),
        )

    def take(self) -> ServerMessage | None:
        """Return the answer, or None: not yet."""
        page = self._poll.take()
        if page is None:
            return None
        self.done = True
        return render.output_page(self._poll.job, page, self._message)

    def close(self) -> None:
        """Give it up."""
        self._poll.close()
