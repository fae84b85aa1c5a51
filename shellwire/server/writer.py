"""The fair writer: control messages first, then jobs with unsent output, round robin.

A connection's messages are written one at a time, by a callback of the event loop: the next one is
made only when the kernel has room for it. Only control messages are queued. Output stays in the
jobs' buffers until it is sent, so a slow socket makes larger frames, not longer queues.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from shellwire.errors import Forbidden, QueueFull
from shellwire.jobs.quota import Quota, Share
from shellwire.protocol import codec
from shellwire.protocol.error_answers import error_answer, oversize_answer
from shellwire.protocol.limits import MAX_DAEMON_MESSAGE
from shellwire.protocol.messages import Attach, ReadOutput, SendInput
from shellwire.server import render
from shellwire.server.outgoing_frames import encode_frames
from shellwire.server.roles import reaches
from shellwire.server.sources import FileReplies, JobFeed, PageReply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shellwire.jobs.job import Job
    from shellwire.protocol.messages import Encoding, ServerMessage
    from shellwire.server.frame_socket import FrameSocket
    from shellwire.server.outgoing_frames import Payload, Pieces
    from shellwire.server.roles import Column

MAX_UNREAD = 16 * 1024 * 1024
"""Bytes of unsent output of ended jobs above which a client may start no more jobs."""

MAX_CONTROL = 1024 * 1024
"""Bytes of unsent control messages above which no more requests are read from the client."""

MAX_PENDING_READS = 1024
"""``read_output`` requests of one client that may wait at a time."""

_TURN = 512 * 1024
"""Bytes that one connection may write before the event loop's other callbacks run."""

Source = JobFeed | PageReply | FileReplies


class FairWriter:
    """Writes one connection's messages to ``socket``. Call ``resume`` when that has room again."""

    def __init__(self, socket: FrameSocket) -> None:
        self.text_bytes = False
        """Whether text fields may encode bytes that are not UTF-8."""
        self.share = Share("", Quota(0, 0, 0))
        """For whom the connection's jobs take slots, and what it may see of others."""
        self._socket = socket
        self._loop = asyncio.get_running_loop()
        self._frames: Iterator[bytes] = iter(())
        """The rest of the message that is being written."""
        self._control: deque[bytes] = deque()
        self._control_bytes = 0
        self._feeds: dict[Job, JobFeed] = {}
        self._page_replies: set[PageReply] = set()
        self._file_replies = FileReplies()
        self._ready: deque[Source] = deque()
        self._is_due = False  # whether the event loop will call _write, or runs it
        self._idle = asyncio.Event()
        self._idle.set()
        self._writable = asyncio.Event()
        self._writable.set()
        self._stopped = False

    def put(self, message: ServerMessage) -> None:
        """Send a control message, ahead of unsent output."""
        if self._stopped:
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
        passive: bool = False,
        explain_ending: bool = False,
        request_id: str | None = None,
    ) -> None:
        """Send the output of ``job`` from ``after`` on, then live. Replaces an earlier follow.

        A ``passive`` reader has no effect on the job, however slow it is.
        """
        self.unfollow(job)
        viewer = job.readers.view(
            lambda: self._on_news(feed),
            after=after,
            window=window,
            text=encoding == "utf-8",
            silent=silent,
            passive=passive,
        )
        feed = JobFeed(
            job, viewer, encoding, request_id, self.share, explain_ending, self.text_bytes
        )
        self._feeds[job] = feed
        if viewer.has_news:
            self.mark(feed)

    def _on_news(self, feed: JobFeed) -> None:
        if feed.viewer.delivered and feed.done:
            self._drop(feed)
        else:
            self.mark(feed)

    def unfollow(self, job: Job) -> None:
        """Stop sending a job's output, if it is followed; the job keeps running."""
        feed = self._feeds.get(job)
        if feed is not None:
            self._drop(feed)

    def credit(self, job: Job, end: int) -> None:
        """Record that the client has consumed the job's output up to ``end``, if it is followed."""
        feed = self._feeds.get(job)
        if feed is not None:
            feed.viewer.credit(end)

    def followed_job(self, job_id: str) -> Job | None:
        """Return the followed job with this id, if any."""
        for job in self._feeds:
            if job.key.id == job_id:
                return job
        return None

    def read_page(
        self, job: Job, after: int, until: bytes | None, request: ReadOutput, *, passive: bool
    ) -> None:
        """Answer ``read_output`` with one page of output, once available. Raises QueueFull."""
        if len(self._page_replies) >= MAX_PENDING_READS:
            raise QueueFull(f"{MAX_PENDING_READS} read_output of this client wait already")
        self._page_replies.add(PageReply(job, after, until, request, self.mark, passive=passive))

    def limit(self, column: Column) -> None:
        """End what the client follows or waits to read and may not any more; FORBIDDEN says so."""
        for job, feed in list(self._feeds.items()):
            if reaches(column, Attach, own=self._owns(job)):
                feed.viewer.passive = SendInput not in column
                job.readers.resume_reading()
            else:
                self._drop(feed)
                self.put(render.no_longer_attached(job))
        for reply in list(self._page_replies):
            if not reaches(column, ReadOutput, own=self._owns(reply.job)):
                self._drop(reply)
                self.put(error_answer(Forbidden(render.ROLE_ENDED), reply.message))

    def _owns(self, job: Job) -> bool:
        return job.key.principal == self.share.principal

    def put_file_reply(self, reply: Pieces) -> None:
        """Send the answer to a file message, round robin with the jobs."""
        if not self._stopped:
            self._file_replies.add(reply)
            self.mark(self._file_replies)

    async def wait_file_replies(self) -> None:
        """Return when few enough file replies are unsent, or the writer has stopped."""
        await self._file_replies.wait_writable()

    def detach_all(self) -> None:
        """Stop reading all jobs; they keep running without this reader."""
        sources: list[Source] = [*self._feeds.values(), *self._page_replies, self._file_replies]
        for source in sources:
            source.close()
        self._feeds.clear()
        self._page_replies.clear()
        self._ready.clear()
        self._file_replies.ready = False

    def _drop(self, source: JobFeed | PageReply) -> None:
        if source.ready:
            source.ready = False
            self._ready.remove(source)
        if isinstance(source, PageReply):
            self._page_replies.discard(source)
        else:
            self._feeds.pop(source.job, None)
        source.close()

    def unread_bytes(self) -> int:
        """Return the bytes of output of ended jobs that this client has yet to read."""
        unread = 0
        for job, feed in self._feeds.items():
            if job.outcome is not None and not feed.viewer.silent:
                unread += job.buffer.end - max(feed.viewer.offset, job.buffer.start)
        return unread

    async def wait_writable(self) -> None:
        """Return when few enough control messages are unsent, or the writer has stopped."""
        await self._writable.wait()

    async def drained(self) -> None:
        """Return when everything is sent, or the writer has stopped.

        This includes output of ended jobs that waits for credit.
        """
        await self._idle.wait()
        while not self._stopped and any(
            job.outcome is not None and not feed.viewer.delivered
            for job, feed in self._feeds.items()
        ):
            self._idle.clear()
            await self._idle.wait()

    def stop(self) -> None:
        """Write nothing more."""
        self._stopped = True
        self._frames = iter(())
        self._control.clear()
        self._file_replies.close()
        self._writable.set()
        self._idle.set()

    def resume(self) -> None:
        """Go on writing: the socket has room again."""
        if not self._is_due:
            self._write()

    def _signal(self) -> None:
        if not self._is_due and not self._stopped:
            self._is_due = True
            self._idle.clear()
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        """Write until the socket is full, nothing waits, or others must run."""
        socket, self._is_due = self._socket, True
        turn = _TURN
        try:
            while not self._stopped and socket.has_room and turn > 0:
                frame = next(self._frames, None)
                if frame is not None:
                    socket.write(frame)
                    turn -= len(frame)
                    continue
                payload = self._next()
                if payload is None:
                    self._idle.set()
                    break
                self._frames = encode_frames(payload, socket.window_bits)
        except Exception as error:
            self.stop()
            socket.failed(error)
        finally:
            self._is_due = False
        if turn <= 0:
            self._signal()

    def mark(self, source: Source) -> None:
        """Queue a source that may have a message."""
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
