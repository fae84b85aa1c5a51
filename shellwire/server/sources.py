"""What a connection's writer takes frames from in turns: jobs, questions, answers about files.

But for these answers, a message is made only when the socket has room for it; until then it costs
nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.jobs.long_poll import LongPoll
from shellwire.jobs.model import Outcome
from shellwire.protocol import codec
from shellwire.protocol.messages import MAX_PAGE
from shellwire.server import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.jobs.job import Job
    from shellwire.jobs.viewer import Viewer
    from shellwire.protocol.messages import Encoding, ReadOutput
    from shellwire.server.outgoing_frames import Pieces

SLICE = 64 * 1024
"""Bytes of one job's output in one frame at most."""

MAX_ANSWERS = 1024 * 1024
"""Bytes of answers about files that wait before no further message about files is begun."""


@dataclass(slots=True, eq=False)
class JobFeed:
    """A job that the client follows."""

    job: Job
    viewer: Viewer
    encoding: Encoding
    request_id: str | None
    explains: bool = False
    """Whether a line of output says why a command was ended, as in release 0.1.4."""
    text_bytes: bool = False
    ready: bool = False
    """Whether it waits for its turn; the writer's own."""
    _next: bytes | None = None

    @property
    def done(self) -> bool:
        """Whether nothing can come any more."""
        return self._next is None and self.viewer.done

    def take(self) -> bytes | None:
        """Return the next frame, or None: nothing yet."""
        if self._next is not None:
            frame, self._next = self._next, None
            return frame
        event = self.viewer.take(SLICE)
        if event is None:
            return None
        message = render.event(self.job, event, self.encoding, self.request_id)
        frame = codec.encode(message, text_bytes=self.text_bytes)
        if self.explains and isinstance(event, Outcome):
            explanation = render.explanation(self.job, event, self.encoding)
            if explanation is not None:
                self._next, frame = frame, codec.encode(explanation)
        return frame

    def close(self) -> None:
        """Follow it no more; it goes on."""
        self.job.leave(self.viewer)


class PageReply:
    """A ``read_output`` that waits for its answer, or for its turn."""

    def __init__(
        self,
        job: Job,
        after: int,
        until: bytes | None,
        message: ReadOutput,
        mark: Callable[[PageReply], None],
    ) -> None:
        self.ready = False
        self.done = False
        self._message = message
        self._poll = LongPoll(
            job,
            after=after,
            max_bytes=min(message.max_bytes, MAX_PAGE),
            wait=message.wait_ms / 1000,
            until=until,
            text=message.encoding == "utf-8",
            ready=lambda: mark(self),
        )

    def take(self) -> bytes | None:
        """Return the answer's frame, or None: not yet."""
        page = self._poll.take()
        if page is None:
            return None
        self.done = True
        return codec.encode(render.output_page(self._poll.job, page, self._message))

    def close(self) -> None:
        """Give it up."""
        self._poll.close()


class FileReplies:
    """Answers about files that wait for their turn."""

    def __init__(self) -> None:
        self.ready = False
        self._answers: deque[Pieces] = deque()
        self._size = 0
        self._writable = asyncio.Event()
        self._writable.set()

    def add(self, answer: Pieces) -> None:
        """Let an answer wait."""
        self._answers.append(answer)
        self._size += _size(answer)
        if self._size > MAX_ANSWERS:
            self._writable.clear()

    def take(self) -> Pieces | None:
        """Return the next answer, or None: nothing yet."""
        if not self._answers:
            return None
        answer = self._answers.popleft()
        self._size -= _size(answer)
        if self._size <= MAX_ANSWERS:
            self._writable.set()
        return answer

    async def wait_writable(self) -> None:
        """Return when few enough wait."""
        await self._writable.wait()

    def close(self) -> None:
        """Drop what waits."""
        self._answers.clear()
        self._size = 0
        self._writable.set()


def _size(answer: Pieces) -> int:
    return sum(map(len, answer))
