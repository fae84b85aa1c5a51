"""A job that is followed: its output piece by piece, its input, and how it ended."""

from __future__ import annotations

import asyncio
import binascii
import contextlib
import signal as signals
from dataclasses import replace
from typing import TYPE_CHECKING

from shellwire.client.job_messages import JobMessages
from shellwire.client.outgoing import input_bytes
from shellwire.errors import (
    Cancelled,
    Disconnected,
    InputFull,
    NotFound,
    OutputLost,
    SessionError,
    SessionNotFound,
    ShellwireError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from types import TracebackType

    from shellwire.client.results import Chunk, Result

PIECE = 1024 * 1024
"""Bytes of input in one message; the daemon takes 4 MiB that a job has not read."""

_POLL = 0.05


class Job(JobMessages):
    """One job, followed. Made by ``Client.stream``, ``shell`` and ``attach``.

    ``async with`` begins it and yields it; leaving the block ends the job, or only leaves it alone
    if it was attached to. ``async for`` gives its output, chunk by chunk, and ends when the job
    has; without a block around it, it begins the job and leaves it likewise.
    """

    # Its course ----------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Start it, or attach to it; nothing if that was done. Raises why it can't be."""
        if not self._begun.is_set():
            await self._connection.follow(self)
            await self._begun.wait()
            if self._error is not None:
                raise self._error

    async def __aenter__(self) -> Job:
        self._entered = True
        await self.begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.leave()

    async def leave(self) -> None:
        """End it and wait until it has ended; or detach from it. Once."""
        left, self._left = self._left, True
        try:
            if left or self.is_over or (self._leaving == "end" and not self._requests_sent):
                return
            if self._leaving == "end":
                await self.kill()
                with contextlib.suppress(Cancelled):
                    await self.wait()
            else:
                with contextlib.suppress(NotFound):
                    await self._connection.ask({"type": "detach", "id": self.id})
        except Disconnected:
            if not self.is_over:  # else the client was closed meanwhile, and has seen to it
                raise
        finally:
            self._connection.unfollow(self)

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self.chunks()

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Give its output, as ``async for`` does with the job itself."""
        try:
            await self.begin()
            while (each := await self.next_chunk()) is not None:
                yield each
        finally:
            if not self._entered:
                await self.leave()

    async def read(self) -> str:
        """Return what it has written since, waiting for something; ``""`` when it has ended.

        Raises OutputLost, once, where some of it is missing; the next call goes on behind that.
        """
        while (taken := await self.next_chunk()) is not None:
            if taken.missing:
                self._chunks.appendleft(replace(taken, missing=0))
                raise OutputLost(f"{taken.missing} bytes of the output of {self.id} are gone")
            if taken.data:
                return taken.data
        return ""

    async def wait(self) -> Result:
        """Read on to its end; return how it ended. Raises what kept it from running."""
        await self.begin()
        while await self.next_chunk() is not None:
            pass
        return self.result

    # Acting on it --------------------------------------------------------------------------------

    async def write(self, data: str | bytes) -> None:
        """Send input, and return when the daemon has taken it; waits while too much of it waits.

        Raises SessionError if the job takes none, Disconnected if the connection broke before it
        was known to have arrived.
        """
        rest = memoryview(input_bytes(data) if isinstance(data, str) else data)
        while rest:
            await self._input(rest[:PIECE], close=False)
            rest = rest[PIECE:]

    async def close_stdin(self) -> None:
        """End its input; on a terminal with VEOF. Raises as ``write``."""
        await self._input(memoryview(b""), close=True)

    async def _input(self, data: memoryview, *, close: bool) -> None:
        message = self._message("send_input", encoding="base64", close_stdin=close)
        message["data"] = binascii.b2a_base64(data, newline=False).decode()
        while True:
            try:
                await self._connection.ask(message, repeatable=False)
                return
            except InputFull:
                await asyncio.sleep(_POLL)  # nothing tells when there is room again
            except SessionError:
                if not self._queued:
                    raise
                await self.until_it_runs()

    async def was_queued(self) -> None:
        """Return when it has been put into the queue, which may never be."""
        await self._was_queued.wait()

    async def until_it_runs(
        self, tell: Callable[[int], None] | None = None, *, interval: float = _POLL
    ) -> None:
        """Return when it waits for a slot no more; nothing tells, so the daemon is asked.

        ``tell`` is called with its place in the queue, counted from 1, every ``interval`` seconds.
        """
        while self.is_queued:
            jobs = (await self._connection.ask({"type": "list_jobs"}))["jobs"]
            waiting = [job["id"] for job in jobs if job["state"] == "queued"]
            if self.id not in waiting:
                self._queued = False
                return
            if tell is not None:
                tell(waiting.index(self.id) + 1)
            await asyncio.sleep(interval)

    async def _write_all(self, given: str | bytes) -> None:
        try:
            await self.write(given)
            await self.close_stdin()
        except SessionError:
            return  # it has ended, and has no use for the rest
        except ShellwireError as error:
            await self.end_with(error)

    async def end_with(self, error: ShellwireError) -> None:
        """End it because its input broke off: what it makes of half of it is no result.

        Whoever follows it gets this error, also if a result comes.
        """
        self._input_error = error
        with contextlib.suppress(ShellwireError):
            await self.kill()
        self.fail(error)

    async def resize(self, cols: int, rows: int) -> None:
        """Give its terminal another size. Raises SessionError, InvalidMessage."""
        await self._connection.ask(self._message("resize", cols=cols, rows=rows))

    async def signal(self, name: str | signals.Signals) -> None:
        """Signal its process group, on a terminal the foreground one: ``"INT"``, ``SIGINT``.

        Raises NotFound, SessionError, InvalidMessage; Disconnected as ``write``.
        """
        text = name.name if isinstance(name, signals.Signals) else name
        await self._connection.ask(self._message("signal", signal=text), repeatable=False)

    async def kill(self) -> None:
        """End it, whole; return when that is under way. Nothing if it has ended."""
        with contextlib.suppress(SessionNotFound):
            await self._connection.ask(self._message("kill_session"))

    async def detach(self) -> None:
        """Leave it alone when this is left."""
        self._leaving = "detach"
        await self.leave()

    def abandon(self) -> None:
        """Leave it alone and tell the daemon nothing, which can't be reached, say."""
        self._leaving = "detach"
        self._left = True
        self._connection.unfollow(self)

    def _on_first_request(self) -> None:
        if self._feed is not None:
            self._connection.spawn(self._write_all(self._feed))
