"""The fair writer: control messages first, then the jobs with bytes waiting, in turns.

One task a connection writes to its socket, one message at a time, and takes the next one only when
the kernel has room for it. Nothing is queued but control messages: output stays in the jobs'
buffers until its turn comes, so a slow socket makes larger frames, not longer queues.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from shellwire.errors import QueueFull
from shellwire.protocol import codec
from shellwire.protocol.error_answers import oversize_answer
from shellwire.protocol.limits import MAX_DAEMON_MESSAGE
from shellwire.server.sources import FileReplies, JobFeed, PageReply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shellwire.jobs.job import Job
    from shellwire.protocol.messages import Encoding, ReadOutput, ServerMessage
    from shellwire.server.outgoing_frames import Payload, Pieces

MAX_UNREAD = 16 * 1024 * 1024
"""Bytes of output of ended jobs that wait for a client before it may start no more."""

MAX_CONTROL = 1024 * 1024
"""Bytes of control messages that wait before no more requests are read from the client."""


MAX_QUESTIONS = 1024
"""``read_output``s of one client that may wait at the same time."""

Source = JobFeed | PageReply | FileReplies


class FairWriter:
    """Writes one connection's messages through ``send``, which waits while the socket is full."""

    def __init__(self, send: Callable[[Payload], Awaitable[None]]) -> None:
        self.text_bytes = False
        """Whether bytes that are not UTF-8 are written in text fields."""
        self._send = send
        self._control: deque[bytes] = deque()
        self._control_bytes = 0
        self._feeds: dict[Job, JobFeed] = {}
        self._questions: set[PageReply] = set()
        self._answers = FileReplies()
        self._ready: deque[Source] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._over = False

    def put(self, message: ServerMessage) -> None:
        """Send a control message before any output that waits."""
        if self._over:
            return
        frame = codec.encode(message, text_bytes=self.text_bytes)
        if len(frame) > MAX_DAEMON_MESSAGE:
            frame = codec.encode(oversize_answer(message, len(frame)))
        self._control.append(frame)
        self._control_bytes += len(frame)
        if self._control_bytes > MAX_CONTROL:
            self._writable.clear()
        self._signal()

    def follow(
        self,
        job: Job,
        encoding: Encoding,
        *,
        after: int = 0,
        window: int | None = None,
        silent: bool = False,
        explains: bool = False,
        request_id: str | None = None,
    ) -> None:
        """Send what ``job`` has from ``after`` on, and live from there; instead of what was."""
        self.unfollow(job)
        viewer = job.view(
            lambda: self.mark(feed),
            after=after,
            window=window,
            text=encoding == "utf-8",
            silent=silent,
        )
        feed = JobFeed(job, viewer, encoding, request_id, explains, self.text_bytes)
        self._feeds[job] = feed
        self.mark(feed)

    def unfollow(self, job: Job) -> None:
        """Send nothing of this job any more, if anything was; it goes on."""
        feed = self._feeds.get(job)
        if feed is not None:
            self._drop(feed)

    def credit(self, job: Job, end: int) -> None:
        """Take note that the client has consumed what comes before ``end``, if it follows."""
        feed = self._feeds.get(job)
        if feed is not None:
            feed.viewer.credit(end)

    def follows(self, job_id: str) -> Job | None:
        """Return the job of that id that is followed."""
        return next((job for job in self._feeds if job.key.id == job_id), None)

    def ask(self, job: Job, after: int, until: bytes | None, question: ReadOutput) -> None:
        """Send one page of the job's output when there is one. Raises QueueFull."""
        if len(self._questions) >= MAX_QUESTIONS:
            raise QueueFull(f"{MAX_QUESTIONS} read_output of this client wait already")
        self._questions.add(PageReply(job, after, until, question, self.mark))

    def answer(self, answer: Pieces) -> None:
        """Send an answer about files in its turn."""
        if not self._over:
            self._answers.add(answer)
            self.mark(self._answers)

    async def answered(self) -> None:
        """Return when few enough answers about files wait, or no more are written."""
        await self._answers.wait_writable()

    def leave_jobs(self) -> None:
        """Read no job any more: they go on without this reader."""
        sources: list[Source] = [*self._feeds.values(), *self._questions, self._answers]
        for source in sources:
            source.close()
        self._feeds.clear()
        self._questions.clear()
        self._ready.clear()
        self._answers.ready = False

    def _drop(self, source: JobFeed | PageReply) -> None:
        if source.ready:
            source.ready = False
            self._ready.remove(source)
        if isinstance(source, PageReply):
            self._questions.discard(source)
        else:
            self._feeds.pop(source.job, None)
        source.close()

    def unread_bytes(self) -> int:
        """Return how many bytes that are kept of jobs which have ended wait for this reader."""
        return sum(
            job.buffer.end - max(feed.viewer.offset, job.buffer.start)
            for job, feed in self._feeds.items()
            if job.outcome is not None and not feed.viewer.silent
        )

    async def wait_writable(self) -> None:
        """Return when few enough control messages wait, or no more are written."""
        await self._writable.wait()

    async def drained(self) -> None:
        """Return when nothing is left to write, or no more is written.

        What waits for credit is left to write too, if its job has ended.
        """
        await self._idle.wait()
        while not self._over and any(
            job.outcome is not None and not feed.viewer.delivered
            for job, feed in self._feeds.items()
        ):
            self._idle.clear()
            await self._idle.wait()

    async def run(self) -> None:
        """Write until cancelled, or until the socket fails."""
        try:
            while True:
                payload = self._next()
                if payload is not None:
                    await self._send(payload)
                    continue
                self._wake.clear()
                self._idle.set()
                await self._wake.wait()
        finally:
            self._over = True
            self._control.clear()
            self._answers.close()
            self._writable.set()
            self._idle.set()

    def _signal(self) -> None:
        if self._over:
            return
        self._idle.clear()
        self._wake.set()

    def mark(self, source: Source) -> None:
        """Give a source its turn: it may have something."""
        if not source.ready:
            source.ready = True
            self._ready.append(source)
            self._signal()

    def _next(self) -> Payload | None:
        if self._control:
            frame = self._control.popleft()
            self._control_bytes -= len(frame)
            if self._control_bytes <= MAX_CONTROL:
                self._writable.set()
            return frame
        while self._ready:
            source = self._ready.popleft()
            source.ready = False
            taken = source.take()
            if not isinstance(source, FileReplies) and source.done:
                self._drop(source)
            elif taken is not None:
                self.mark(source)
            if taken is not None:
                return taken
        return None
