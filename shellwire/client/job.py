"""One job as its user sees it: output chunk by chunk, input, signals, result."""

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
"""Bytes of input in one message. The daemon queues up to 4 MiB that a job has not read."""

_POLL = 0.05


class Job(JobMessages):
    """A command or session. Made by ``Client.stream``, ``shell`` and ``attach``.

    ``async with`` starts it, or attaches to it. Leaving the block ends the job; an attached job is
    only detached from. ``async for`` yields output chunks until the job ends. Without a block,
    ``async for`` starts the job and leaves it in the same way.
    """

    # Start, output, end --------------------------------------------------------------------------

    async def begin(self) -> None:
        """Start the job, or attach to it, unless that is done. Raises the error if it fails."""
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
        """End the job and wait for its end, or detach from it. Does nothing the second time."""
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
            if not self.is_over:  # otherwise the client was closed, which ended the job
                raise
        finally:
            self._connection.unfollow(self)

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self.chunks()

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Yield output chunks, as ``async for`` over the job does."""
        try:
            await self.begin()
            while (each := await self.next_chunk()) is not None:
                yield each
        finally:
            if not self._entered:
                await self.leave()

    async def read(self) -> str:
        """Return new text, waiting for some; ``""`` once the job has ended.

        Raises OutputLost, once, where output is missing; the next call continues after the gap.
        """
        while (taken := await self.next_chunk()) is not None:
            if taken.missing:
                self._chunks.appendleft(replace(taken, missing=0))
                raise OutputLost(f"{taken.missing} bytes of the output of {self.id} are gone")
            if taken.data:
                return taken.data
        return ""

    async def wait(self) -> Result:
        """Read the output to its end and return the result. Raises if the job could not run."""
        await self.begin()
        while await self.next_chunk() is not None:
            pass
        return self.result

    # Input, size, signals, ending ----------------------------------------------------------------

    async def write(self, data: str | bytes) -> None:
        """Send input; return when the daemon has accepted it.

        Waits while too much unread input is queued. Raises SessionError if the job takes no input,
        Disconnected if the connection broke and the input may or may not have arrived.
        """
        rest = memoryview(input_bytes(data) if isinstance(data, str) else data)
        while rest:
            await self._input(rest[:PIECE], close=False)
            rest = rest[PIECE:]

    async def close_stdin(self) -> None:
        """Send end of input; on a terminal the VEOF character. Raises the errors of ``write``."""
        await self._input(memoryview(b""), close=True)

    async def _input(self, data: memoryview, *, close: bool) -> None:
        message = self._message("send_input", encoding="base64", close_stdin=close)
        message["data"] = binascii.b2a_base64(data, newline=False).decode()
        while True:
            try:
                await self._connection.ask(message, repeatable=False)
                return
            except InputFull:
                await asyncio.sleep(_POLL)  # no message announces free space
            except SessionError:
                if not self._queued:
                    raise
                await self.until_it_runs()

    async def was_queued(self) -> None:
        """Return once the job has been queued for a slot. It may never be."""
        await self._was_queued.wait()

    async def until_it_runs(
        self, tell: Callable[[int], None] | None = None, *, interval: float = _POLL
    ) -> None:
        """Return when the job no longer waits for a slot. No message announces that, so this polls.

        Every ``interval`` seconds ``tell`` is called with the position in the queue, counted from
        1.
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
            return  # the job has ended: drop the rest of its input
        except ShellwireError as error:
            await self.end_with(error)

    async def end_with(self, error: ShellwireError) -> None:
        """End the job because its input broke off; its followers get ``error``, not a result.

        A result computed from half the input would be wrong.
        """
        self._input_error = error
        with contextlib.suppress(ShellwireError):
            await self.kill()
        self.fail(error)

    async def resize(self, cols: int, rows: int) -> None:
        """Change the terminal's size. Raises SessionError, InvalidMessage."""
        await self._connection.ask(self._message("resize", cols=cols, rows=rows))

    async def signal(self, name: str | signals.Signals) -> None:
        """Send a signal, such as ``"INT"`` or ``SIGINT``, to the job's process group.

        On a terminal it goes to the foreground process group. Raises NotFound, SessionError,
        InvalidMessage, and Disconnected as ``write`` does.
        """
        text = name.name if isinstance(name, signals.Signals) else name
        await self._connection.ask(self._message("signal", signal=text), repeatable=False)

    async def kill(self) -> None:
        """End the job and all its processes, if it has not ended. Returns once that has begun."""
        with contextlib.suppress(SessionNotFound):
            await self._connection.ask(self._message("kill_session"))

    async def detach(self) -> None:
        """Stop following the job and let it run on."""
        self._leaving = "detach"
        await self.leave()

    def abandon(self) -> None:
        """Stop following the job without sending ``detach``, for example while disconnected."""
        self._leaving = "detach"
        self._left = True
        self._connection.unfollow(self)

    def _on_first_request(self) -> None:
        if self._feed is not None:
            self._connection.spawn(self._write_all(self._feed))
