"""A process for one archive: bytes in, bytes out, and a status line at the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING

from shellwire.errors import FileSystemError, SpawnError
from shellwire.process.python import environment
from shellwire.process.spawn import spawn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shellwire.process.reap import Exit, Reaper

STATUS_FD = 3
"""Descriptor on which the process writes its status line."""

_LIMIT = 256 * 1024


class ArchiveProcess:
    """The process, for use in ``async with``: leaving the block ends it."""

    def __init__(self, command: Sequence[bytes], reaper: Reaper) -> None:
        self._command = command
        self._reaper = reaper
        self._ended = asyncio.Event()

    async def __aenter__(self) -> ArchiveProcess:
        child_in, to = os.pipe()
        source, child_out = os.pipe()
        status, child_status = os.pipe()
        try:
            self._pid = spawn(
                self._command,
                environment(),
                {0: child_in, 1: child_out, 2: 2, STATUS_FD: child_status},
                name=self._command[0],
            )
        except SpawnError as error:
            for descriptor in (to, source, status):
                os.close(descriptor)
            raise FileSystemError(str(error)) from error
        finally:
            for descriptor in (child_in, child_out, child_status):
                os.close(descriptor)
        self._reaper.watch(self._pid, self._on_exit)
        loop = asyncio.get_running_loop()
        self._out, self._out_transport = await _reader(source)
        self._status, self._status_transport = await _reader(status)
        transport, protocol = await loop.connect_write_pipe(
            asyncio.streams.FlowControlMixin, os.fdopen(to, "wb", 0)
        )
        self._in = asyncio.StreamWriter(transport, protocol, None, loop)
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self._ended.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        if not self._in.transport.is_closing():
            self._in.transport.abort()
        self._out_transport.close()
        self._status_transport.close()
        await self._ended.wait()

    def _on_exit(self, _exit: Exit) -> None:
        self._ended.set()

    async def write(self, data: bytes) -> None:
        """Send ``data``, waiting until the process reads it. Dropped if it has stopped reading."""
        with contextlib.suppress(ConnectionError):
            self._in.write(data)
            await self._in.drain()

    def close_input(self) -> None:
        """Signal the end of input."""
        self._in.close()

    async def read(self) -> bytes:
        """Return output of the process; empty at the end."""
        return await self._out.read(_LIMIT)

    async def status_line(self) -> bytes:
        """Return the status line; empty if the process was killed."""
        return await self._status.read()


async def _reader(descriptor: int) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = asyncio.StreamReader(limit=_LIMIT)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    )
    return reader, transport
