"""The file messages of one connection, done one after the other in the order in which they came.

So a write is seen by the read behind it. What a worker does, and the hash of a large file, is begun
in this order and does not hold up what follows. The next one begins when the client has taken
enough of the answers: these wait in memory, and it is to be bounded.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from typing import TYPE_CHECKING, Any, get_args

from shellwire.errors import Cancelled, InternalError, WireError
from shellwire.files.read import ReadResult
from shellwire.files.uploads import Uploads
from shellwire.protocol import codec
from shellwire.protocol.messages import FsRead
from shellwire.server.files import operations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

    from shellwire.files.service import FileService
    from shellwire.protocol.messages import FileMessage
    from shellwire.server.frames import Pieces
    from shellwire.server.writer import FairWriter

log = logging.getLogger(__name__)

MAX_WAITING = 256
"""Messages that wait before no more are read from the client."""

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""Bytes of text in them before no more are read."""

_WALKS_AT_ONCE = 2
_WALKS = get_args(operations.Walk)
_HASHES_AT_ONCE = 16
"""Answers that wait for the hash of a large file before no further file is read."""


class FileQueue:
    """Does the file messages of one client, and answers them by ``writer``."""

    def __init__(self, client_id: str, writer: FairWriter, files: FileService) -> None:
        self._client_id = client_id
        self._writer = writer
        self._files = files
        self._uploads = Uploads(files.limits.max_uploads, files.hashes, files.upload_quota)
        self._waiting: deque[FileMessage] = deque()
        self._bytes = 0
        self._writable = asyncio.Event()
        self._writable.set()
        self._working: asyncio.Task[None] | None = None
        self._walks: dict[asyncio.Task[None], FileMessage] = {}
        self._hashes: dict[asyncio.Task[None], FileMessage] = {}
        self._begun = False
        self._forgotten = False

    def submit(self, message: FileMessage) -> None:
        """Do this when its turn comes, and answer it."""
        self._begun = True
        self._waiting.append(message)
        self._count(_weight(message))
        if self._working is None:
            self._working = asyncio.create_task(self._work())

    def cancel(self, message_id: str) -> bool:
        """Give up what a worker does, or would do, for this id. Returns whether there was such."""
        for task, message in (self._walks | self._hashes).items():
            if message.id == message_id:
                return task.cancel()
        for message in self._waiting:
            if message.id == message_id and isinstance(message, _WALKS):
                self._waiting.remove(message)
                self._count(-_weight(message))
                self._refuse(Cancelled("cancelled before it began"), message)
                return True
        return False

    async def wait_writable(self) -> None:
        """Return when few enough messages wait."""
        await self._writable.wait()

    def forget(self) -> None:
        """Begin nothing more."""
        self._forgotten = True
        self._waiting.clear()
        self._bytes = 0
        self._writable.set()
        for task in self._walks | self._hashes:
            task.cancel()

    async def close(self) -> None:
        """Begin nothing more, and when what was begun is done, give up the open uploads."""
        self.forget()
        tasks = [*self._walks, *self._hashes]
        if self._working is not None:
            tasks.append(self._working)
        if tasks:
            await asyncio.wait(tasks)
        if self._begun:
            await self._files.run(self._uploads.close)

    def _count(self, weight: int) -> None:
        self._bytes += weight
        if len(self._waiting) > MAX_WAITING or self._bytes > MAX_WAITING_BYTES:
            self._writable.clear()
        else:
            self._writable.set()

    async def _work(self) -> None:
        while self._waiting:
            await self._writer.answered()
            if len(self._walks) >= _WALKS_AT_ONCE and isinstance(self._waiting[0], _WALKS):
                await asyncio.wait(self._walks, return_when=asyncio.FIRST_COMPLETED)
            elif len(self._hashes) >= _HASHES_AT_ONCE and isinstance(self._waiting[0], FsRead):
                await asyncio.wait(self._hashes, return_when=asyncio.FIRST_COMPLETED)
            elif self._waiting:
                message = self._waiting.popleft()
                await self._begin(message)
                self._count(-_weight(message))
        self._working = None

    async def _begin(self, message: FileMessage) -> None:
        if isinstance(message, _WALKS):
            self._apart(operations.walk(self._files, message), message, self._walks)
        else:
            act = self._files.run(operations.do, self._files, self._uploads, message)
            await self._answer(act, message)

    def _apart(
        self,
        work: Coroutine[Any, Any, Pieces],
        message: FileMessage,
        tasks: dict[asyncio.Task[None], FileMessage],
    ) -> asyncio.Task[None]:
        """Answer this when it is done, whatever is answered before."""
        task = asyncio.create_task(self._answer(work, message))
        tasks[task] = message
        task.add_done_callback(tasks.pop)
        return task

    def _hash(self, piece: ReadResult, message: FsRead) -> None:
        """Answer this with the hash of the file that it is a piece of."""
        descriptor = piece.descriptor
        assert descriptor is not None, "it has an open file"
        if self._forgotten:
            os.close(descriptor)
            return
        work = operations.hashed(self._files, piece, message)
        # Not in the task: one that is cancelled before its first step does nothing at all.
        self._apart(work, message, self._hashes).add_done_callback(lambda _: os.close(descriptor))

    async def _answer(self, answer: Awaitable[Pieces | ReadResult], message: FileMessage) -> None:
        try:
            found = await answer
            if isinstance(found, ReadResult):
                assert isinstance(message, FsRead), "only a read is answered with a piece"
                self._hash(found, message)
            else:
                self._writer.answer(found)
        except WireError as error:
            self._refuse(error, message)
        except asyncio.CancelledError:
            self._refuse(Cancelled("cancelled"), message)
        except Exception:
            log.exception("%s of client %s failed", message, self._client_id)
            self._refuse(InternalError("see the daemon's log"), message)

    def _refuse(self, error: WireError, message: FileMessage) -> None:
        self._writer.put(codec.error_answer(error, message))


def _weight(message: FileMessage) -> int:
    """Return about how many bytes its texts take: a path may be long too."""
    values = (getattr(message, name) for name in message.__struct_fields__)
    # PEP 393: one character beyond U+FFFF makes every character four bytes.
    return sum(len(each) * (1 if each.isascii() else 4) for each in values if isinstance(each, str))
