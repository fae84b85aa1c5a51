"""The file messages of one connection, executed one after the other in order.

So a read sees the write before it. Work in a worker process, and the hash of a large file, begin in
this order but do not delay the messages after them. Unsent answers are held in memory, so the next
message begins only when the client has taken enough of them.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from typing import TYPE_CHECKING, Any, get_args

from shellwire.errors import Cancelled, Forbidden, InternalError, WireError
from shellwire.files.read import ReadResult
from shellwire.files.uploads import Uploads
from shellwire.protocol.error_answers import error_answer
from shellwire.protocol.messages import FsRead
from shellwire.server.files import operations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

    from shellwire.files.service import FileService
    from shellwire.jobs.model import ClientKey
    from shellwire.protocol.messages import FileMessage
    from shellwire.server.outgoing_frames import Pieces
    from shellwire.server.writer import FairWriter

log = logging.getLogger(__name__)

MAX_WAITING = 256
"""Queued messages above which no more are read from the client."""

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""Bytes of queued messages above which no more are read from the client."""

_MAX_WALKS = 2
_WALKS = get_args(operations.Walk)
# Answers that may wait for the hash of a large file; then no further file is read.
_MAX_HASHES = 16


class FileQueue:
    """Executes the file messages of one client, and answers them through ``writer``."""

    def __init__(self, client: ClientKey, writer: FairWriter, files: FileService) -> None:
        self._client = client
        self._writer = writer
        self._files = files
        self._uploads = Uploads(
            files.limits.max_uploads,
            files.hashes,
            files.principal_quota(client.principal) or files.upload_quota,
        )
        self._waiting: deque[FileMessage] = deque()
        self._bytes = 0
        self._writable = asyncio.Event()
        self._writable.set()
        self._working: asyncio.Task[None] | None = None
        self._walks: dict[asyncio.Task[None], FileMessage] = {}
        self._hashes: dict[asyncio.Task[None], FileMessage] = {}
        self._used = False
        self._stopped = False
        self._forbidden: Forbidden | None = None

    def submit(self, message: FileMessage) -> None:
        """Queue a message."""
        self._used = True
        self._waiting.append(message)
        self._count(_size(message))
        if self._working is None:
            self._working = asyncio.create_task(self._work())

    def cancel(self, message_id: str) -> bool:
        """Cancel the list, glob, search or hash with this id. Returns whether one was found."""
        for task, message in (self._walks | self._hashes).items():
            if message.id == message_id:
                return task.cancel()
        for message in self._waiting:
            if message.id == message_id and isinstance(message, _WALKS):
                self._waiting.remove(message)
                self._count(-_size(message))
                self._refuse(Cancelled("cancelled before it began"), message)
                return True
        return False

    async def wait_writable(self) -> None:
        """Return when few enough messages are queued."""
        await self._writable.wait()

    def drop_pending(self) -> None:
        """Drop queued messages, and cancel work in workers."""
        self._stopped = True
        self._waiting.clear()
        self._bytes = 0
        self._writable.set()
        for task in self._walks | self._hashes:
            task.cancel()

    async def close(self) -> None:
        """Drop queued messages, wait for the one being executed, and discard open uploads."""
        self.drop_pending()
        tasks = [*self._walks, *self._hashes]
        if self._working is not None:
            tasks.append(self._working)
        if tasks:
            await asyncio.wait(tasks)
        if self._used:
            await self._files.run(self._uploads.close)

    async def forbid(self) -> None:
        """End as ``close`` does, and answer FORBIDDEN: the client's role no longer allows files.

        The operation being executed may still be done, but its result is not sent.
        """
        self._forbidden = Forbidden("the role that allowed this has ended")
        for message in self._waiting:
            self._refuse(self._forbidden, message)
        await self.close()

    def _count(self, size: int) -> None:
        self._bytes += size
        if len(self._waiting) > MAX_WAITING or self._bytes > MAX_WAITING_BYTES:
            self._writable.clear()
        else:
            self._writable.set()

    async def _work(self) -> None:
        while self._waiting:
            await self._writer.wait_file_replies()
            if len(self._walks) >= _MAX_WALKS and isinstance(self._waiting[0], _WALKS):
                await asyncio.wait(self._walks, return_when=asyncio.FIRST_COMPLETED)
            elif len(self._hashes) >= _MAX_HASHES and isinstance(self._waiting[0], FsRead):
                await asyncio.wait(self._hashes, return_when=asyncio.FIRST_COMPLETED)
            elif self._waiting:
                message = self._waiting.popleft()
                await self._begin(message)
                self._count(-_size(message))
        self._working = None

    async def _begin(self, message: FileMessage) -> None:
        if isinstance(message, _WALKS):
            walk = operations.walk(self._files, message, self._client.principal)
            self._start_task(walk, message, self._walks)
        else:
            work = self._files.run(operations.execute, self._files, self._uploads, message)
            await self._answer(work, message)

    def _start_task(
        self,
        work: Coroutine[Any, Any, Pieces],
        message: FileMessage,
        tasks: dict[asyncio.Task[None], FileMessage],
    ) -> asyncio.Task[None]:
        """Answer when ``work`` is done, independently of the order."""
        task = asyncio.create_task(self._answer(work, message))
        tasks[task] = message
        task.add_done_callback(tasks.pop)

        def answer_unstarted(task: asyncio.Task[None]) -> None:
            # A task that is cancelled before its first step runs no code.
            if task.cancelled():
                work.close()
                self._refuse(self._forbidden or Cancelled("cancelled"), message)

        task.add_done_callback(answer_unstarted)
        return task

    def _hash(self, piece: ReadResult, message: FsRead) -> None:
        """Answer a read of a large file once the hash of the file is computed."""
        descriptor = piece.descriptor
        assert descriptor is not None, "the piece has an open file"
        if self._stopped:
            os.close(descriptor)
            return
        work = operations.answer_with_hash(self._files, piece, message, self._client.principal)
        # Not closed in the task: a task cancelled before its first step runs no code.
        self._start_task(work, message, self._hashes).add_done_callback(
            lambda _: os.close(descriptor)
        )

    async def _answer(self, answer: Awaitable[Pieces | ReadResult], message: FileMessage) -> None:
        try:
            found = await answer
            if self._forbidden is not None:
                if isinstance(found, ReadResult) and found.descriptor is not None:
                    os.close(found.descriptor)
                raise self._forbidden
            if isinstance(found, ReadResult):
                assert isinstance(message, FsRead), "only a read is answered with a piece"
                self._hash(found, message)
            else:
                self._writer.put_file_reply(found)
        except WireError as error:
            self._refuse(error, message)
        except asyncio.CancelledError:
            self._refuse(self._forbidden or Cancelled("cancelled"), message)
        except Exception:
            log.exception("%s of client %s failed", message, self._client.client_id)
            self._refuse(InternalError("see the daemon's log"), message)

    def _refuse(self, error: WireError, message: FileMessage) -> None:
        self._writer.put(error_answer(error, message))


def _size(message: FileMessage) -> int:
    """Return the approximate memory of its strings, in bytes."""
    values = (getattr(message, name) for name in message.__struct_fields__)
    # PEP 393: one character above U+FFFF makes every character take four bytes.
    return sum(len(each) * (1 if each.isascii() else 4) for each in values if isinstance(each, str))
