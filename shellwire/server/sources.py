"""The sources of the fair writer: followed jobs, pages of ``read_output``, and file replies.

The first two make a message only when the socket has room for it, so they hold no copy of output.
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
    from shellwire.jobs.quota import Share
    from shellwire.jobs.viewer import Viewer
    from shellwire.protocol.messages import Encoding, ReadOutput
    from shellwire.server.outgoing_frames import Pieces

SLICE = 64 * 1024
"""The most bytes of a job's output in one frame."""

MAX_FILE_REPLIES = 1024 * 1024
"""Bytes of unsent file replies above which no further file message is begun."""


@dataclass(slots=True, eq=False)
class JobFeed:
    """The output of a followed job, as messages."""

    job: Job
    viewer: Viewer
    encoding: Encoding
    request_id: str | None
    share: Share
    """What the client may see of others."""
    explain_ending: bool = False
    """Whether a line of output explains why a command was ended, as in release 0.1.4."""
    text_bytes: bool = False
    ready: bool = False
    """Whether it is in the writer's queue; set by the writer."""
    _next: bytes | None = None

    @property
    def done(self) -> bool:
        """Whether every message was taken."""
        return self._next is None and self.viewer.done

    def take(self) -> bytes | None:
        """Return the next message, or None if there is none yet."""
        if self._next is not None:
            frame, self._next = self._next, None
            return frame
        event = self.viewer.take(SLICE)
        if event is None:
            return None
        message = render.event_message(self.job, event, self.encoding, self.request_id, self.share)
        frame = codec.encode(message, text_bytes=self.text_bytes)
        if self.explain_ending and isinstance(event, Outcome):
            explanation = render.explanation(self.job, event, self.encoding)
            if explanation is not None:
                self._next, frame = frame, codec.encode(explanation)
        return frame

    def close(self) -> None:
        """Stop following the job, which keeps running."""
        self.job.readers.leave(self.viewer)


class PageReply:
    """The answer to one ``read_output``, once there is output or the wait is over."""

    def __init__(
        self,
        job: Job,
        after: int,
        until: bytes | None,
        message: ReadOutput,
        mark: Callable[[PageReply], None],
        *,
        passive: bool = False,
    ) -> None:
        self.ready = False
        self.done = False
        self.job = job
        self.message = message
        self._poll = LongPoll(
            job,
            after=after,
            max_bytes=min(message.max_bytes, MAX_PAGE),
            wait=message.wait_ms / 1000,
            until=until,
            text=message.encoding == "utf-8",
            ready=lambda: mark(self),
            passive=passive,
        )

    def take(self) -> bytes | None:
        """Return the answer, or None if there is none yet."""
        page = self._poll.take()
        if page is None:
            return None
        self.done = True
        return codec.encode(render.output_page(self.job, page, self.message))

    def close(self) -> None:
        """Cancel the wait."""
        self._poll.close()


class FileReplies:
    """The unsent answers to file messages, in order."""

    def __init__(self) -> None:
        self.ready = False
        self._replies: deque[Pieces] = deque()
        self._size = 0
        self._writable = asyncio.Event()
        self._writable.set()

    def add(self, reply: Pieces) -> None:
        """Queue an answer."""
        self._replies.append(reply)
        self._size += _size(reply)
        if self._size > MAX_FILE_REPLIES:
            self._writable.clear()

    def take(self) -> Pieces | None:
        """Return the next answer, or None if there is none."""
        if not self._replies:
            return None
        reply = self._replies.popleft()
        self._size -= _size(reply)
        if self._size <= MAX_FILE_REPLIES:
            self._writable.set()
        return reply

    async def wait_writable(self) -> None:
        """Return when few enough bytes are queued."""
        await self._writable.wait()

    def close(self) -> None:
        """Drop all answers."""
        self._replies.clear()
        self._size = 0
        self._writable.set()


def _size(reply: Pieces) -> int:
    return sum(map(len, reply))
