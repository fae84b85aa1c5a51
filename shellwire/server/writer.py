"""The fair writer: control messages first, then the jobs with bytes waiting, in turns.

One task a connection writes to its socket, one frame at a time, and takes the next one only when
the kernel has room for it. Nothing is queued but control messages: output stays in the jobs'
buffers until its turn comes, so a slow socket makes larger frames, not longer queues.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.protocol import codec
from shellwire.server import render

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shellwire.jobs.job import Job
    from shellwire.jobs.viewer import Viewer
    from shellwire.protocol.messages import Encoding, ServerMessage

SLICE = 64 * 1024
"""Bytes of one job's output in one frame at most."""

MAX_OWED = 16 * 1024 * 1024
"""Bytes of output of ended jobs that wait for a client before it may start no more."""

MAX_CONTROL = 1024 * 1024
"""Bytes of control messages that wait before no more requests are read from the client."""


@dataclass(slots=True, eq=False)
class _Feed:
    viewer: Viewer
    encoding: Encoding
    request_id: str | None
    ready: bool = False


class FairWriter:
    """Writes one connection's messages through ``send``, which waits while the socket is full."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._send = send
        self._control: deque[bytes] = deque()
        self._control_bytes = 0
        self._feeds: dict[Job, _Feed] = {}
        self._ready: deque[_Feed] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._roomy = asyncio.Event()
        self._roomy.set()
        self._over = False

    def put(self, message: ServerMessage) -> None:
        """Send a control message before any output that waits."""
        if self._over:
            return
        frame = codec.encode(message)
        self._control.append(frame)
        self._control_bytes += len(frame)
        if self._control_bytes > MAX_CONTROL:
            self._roomy.clear()
        self._signal()

    def follow(self, job: Job, encoding: Encoding, *, silent: bool, request_id: str | None) -> None:
        """Send what ``job`` has from its beginning, and live from there on."""
        feed = _Feed(job.view(lambda: self._mark(feed), silent=silent), encoding, request_id)
        self._feeds[job] = feed
        self._mark(feed)

    def leave_jobs(self) -> None:
        """Read no job any more: they go on without this reader."""
        for job, feed in self._feeds.items():
            job.leave(feed.viewer)
        self._feeds.clear()
        self._ready.clear()

    def owed(self) -> int:
        """Return how many bytes that are kept of jobs which have ended wait for this reader."""
        return sum(
            job.buffer.end - max(feed.viewer.offset, job.buffer.start)
            for job, feed in self._feeds.items()
            if job.outcome is not None and not feed.viewer.silent
        )

    async def roomy(self) -> None:
        """Return when few enough control messages wait, or no more are written."""
        await self._roomy.wait()

    async def drained(self) -> None:
        """Return when nothing is left to write, or no more is written."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write until cancelled, or until the socket fails."""
        try:
            while True:
                frame = self._next()
                if frame is not None:
                    await self._send(frame)
                    continue
                self._wake.clear()
                self._idle.set()
                await self._wake.wait()
        finally:
            self._over = True
            self._control.clear()
            self._roomy.set()
            self._idle.set()

    def _signal(self) -> None:
        if self._over:
            return
        self._idle.clear()
        self._wake.set()

    def _mark(self, feed: _Feed) -> None:
        if not feed.ready:
            feed.ready = True
            self._ready.append(feed)
            self._signal()

    def _next(self) -> bytes | None:
        if self._control:
            frame = self._control.popleft()
            self._control_bytes -= len(frame)
            if self._control_bytes <= MAX_CONTROL:
                self._roomy.set()
            return frame
        while self._ready:
            feed = self._ready.popleft()
            feed.ready = False
            viewer = feed.viewer
            event = viewer.take(SLICE)
            if event is not None:
                self._mark(feed)
                message = render.event(viewer.job, event, feed.encoding, feed.request_id)
                return codec.encode(message)
            if viewer.done:
                self._feeds.pop(viewer.job, None)
                viewer.job.leave(viewer)
        return None
