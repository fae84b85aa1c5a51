"""Worker processes that walk directories: slow ones cost the daemon nothing but a wait.

Large or slow directories and endless regular expressions block only the worker. A worker handles
one request at a time: a line on its standard input, answered by a line on its standard output. The
format of these lines is up to the caller.

The kernel limits the time: a worker sets an alarm (setitimer(2)) and does not handle its signal, so
the alarm ends it even within one match of a regular expression. The output written by then is used.
An ended worker is replaced at the next request. Workers end with their standard input, and so with
the daemon, however that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING, NamedTuple

from shellwire.errors import FileSystemError, SpawnError
from shellwire.process.input_writer import InputWriter
from shellwire.process.python import environment
from shellwire.process.spawn import spawn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shellwire.process.reap import Exit, Reaper

MAX_WORKERS = 2
"""Workers at a time, for all clients together."""

_IDLE_SECONDS = 60.0
_PIECE = 64 * 1024


class Answer(NamedTuple):
    """The output of a worker for one request."""

    pieces: list[bytes]
    is_complete: bool
    """Whether the answer has its end. If not, the worker's time was up."""


class _Worker:
    """One worker process. ``ask`` must not be called concurrently."""

    def __init__(self, command: Sequence[bytes], reaper: Reaper) -> None:
        self.alive = True
        self._ended = asyncio.Event()
        child_in, to = os.pipe()
        from_child, child_out = os.pipe()
        try:
            self._pid = spawn(
                command,
                environment(),
                {0: child_in, 1: child_out, 2: 2},
                name=command[0],
            )
        except SpawnError:
            os.close(to)
            os.close(from_child)
            raise
        finally:
            os.close(child_in)
            os.close(child_out)
        self._to = InputWriter(to)
        self._from = os.fdopen(from_child, "rb", 0)
        reaper.watch(self._pid, self._on_exit)
        self._reader: asyncio.StreamReader | None = None
        self._transport: asyncio.ReadTransport | None = None

    def _on_exit(self, _exit: Exit) -> None:
        self.alive = False
        self._ended.set()

    async def ask(self, request: bytes) -> Answer:
        """Send a request; return the answer, which may be incomplete."""
        if self._reader is None:
            self._reader = asyncio.StreamReader(limit=_PIECE)
            protocol = asyncio.StreamReaderProtocol(self._reader)
            loop = asyncio.get_running_loop()
            self._transport, _ = await loop.connect_read_pipe(lambda: protocol, self._from)
        self._to.write(request + b"\n")
        pieces: list[bytes] = []
        while not (pieces and pieces[-1].endswith(b"\n")):
            piece = await self._reader.read(_PIECE)
            if not piece:
                return Answer(pieces, is_complete=False)
            pieces.append(piece)
        return Answer(pieces, is_complete=True)

    async def end(self) -> None:
        """Kill the process and wait for its end."""
        if self.alive:
            os.kill(self._pid, signal.SIGKILL)
            await self._ended.wait()
        self._to.close()
        if self._transport is not None:
            self._transport.close()
        # Not by its number: a cancelled connect_read_pipe() has closed it, and it may be reused.
        self._from.close()


class WorkerPool:
    """All workers, started on demand. Use it only in the event loop's thread."""

    def __init__(self, command: Sequence[bytes], reaper: Reaper) -> None:
        """``command`` starts a worker; its first word is an absolute path."""
        self._command = command
        self.reaper = reaper
        self._slots = asyncio.Semaphore(MAX_WORKERS)
        self._others = asyncio.Semaphore(MAX_WORKERS - 1)
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def ask(self, request: bytes, *, is_owners: bool = True) -> Answer:
        """Send ``request`` to a worker; return its answer, incomplete if its time was up.

        The last worker is always the owner's. Cancelling this kills the worker. Raises
        FileSystemError if no worker can be started.
        """
        async with contextlib.nullcontext() if is_owners else self._others, self._slots:
            worker = self._take()
            answer = Answer([], is_complete=False)
            try:
                answer = await worker.ask(request)
            finally:
                if answer.is_complete:
                    self._idle.append(worker)
                    self._schedule_idle_stop()
                else:
                    await asyncio.shield(self._end(worker))
            return answer

    def _take(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            self._stop_soon(worker)
        try:
            worker = _Worker(self._command, self.reaper)
        except (SpawnError, OSError) as error:
            raise FileSystemError(f"no worker could be started: {error}") from error
        self._all.add(worker)
        return worker

    def _schedule_idle_stop(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self._idle_timer = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._stop_idle)

    def _stop_idle(self) -> None:
        while self._idle:
            self._stop_soon(self._idle.pop())

    def _stop_soon(self, worker: _Worker) -> None:
        task = asyncio.create_task(self._end(worker))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, worker: _Worker) -> None:
        if worker in self._all:
            self._all.discard(worker)
            await worker.end()

    async def close(self) -> None:
        """End all workers."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self._idle.clear()
        for worker in list(self._all):
            with contextlib.suppress(ProcessLookupError):
                await self._end(worker)
        if self._ending:
            await asyncio.wait(self._ending)
