"""Show a job's terminal on this terminal, and send it the keys."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING

from shellwire.cli import signals
from shellwire.cli.local_terminal import match_terminal, raw_mode, terminal_size
from shellwire.cli.pipes import Input, write
from shellwire.cli.status_line import status_line
from shellwire.cli.terminal_input import HELP, EscapeParser, ReplyFilter
from shellwire.cli.waiting import queueing
from shellwire.errors import Cancelled, Disconnected, SessionError, ShellwireError

if TYPE_CHECKING:
    from shellwire.client import Chunk, Client, Job, Result
    from shellwire.client.options import CommandOptions

REPLY_SECONDS = 1.0
"""Seconds to wait for the terminal's reply; after that it is assumed to send none."""

_DETACH_SECONDS = 2.0
_INTERRUPT = b"\x03"  # Ctrl-C
_INTERRUPTS = 3  # Ctrl-C pressed so often without a connection ends this program
_REQUESTS = (b"\x1b", b"\x05")  # every request to a terminal begins with ESC, except ENQ


async def run_on_terminal(
    client: Client, command: str, options: CommandOptions, *, escapes: bool
) -> tuple[Result | None, str]:
    """Run a command on a terminal like this one; return its result, None if detached, and its id.

    Ctrl-C is sent as a key. A signal that ends this program ends the command.
    """
    match_terminal(options)
    options["pty"] = True
    async with client.stream(command, **options) as job:
        return await show(job, stays=False, escapes=escapes), job.id


async def show(
    job: Job, *, stays: bool = True, closes: bool = True, escapes: bool = True
) -> Result | None:
    """Show a job on this terminal until it ends; return None if detached before that.

    Detaches on `~.`, if ``escapes``, and on Ctrl-C three times without a connection. On SIGHUP,
    SIGTERM and SIGINT, and when this terminal has gone, it detaches too if the job ``stays``;
    otherwise it ends the job. If ``closes``, EOF on a stdin that is no terminal closes the job's.
    """
    console = _Console(job, stays=stays, closes=closes, escapes=escapes)
    with raw_mode() if job.size is not None else contextlib.nullcontext():
        return await console.run()


class _Console:
    """A job on this terminal: output, input, size, and the ways to leave it."""

    def __init__(self, job: Job, *, stays: bool, closes: bool, escapes: bool) -> None:
        self._job = job
        self._stays = stays
        self._closes = closes
        # Checked now: isatty() of a terminal that has gone is false.
        self._is_terminal = os.isatty(0) and job.size is not None
        self._escapes = EscapeParser() if escapes and self._is_terminal else None
        self._replies = ReplyFilter()
        # A terminal that shows the replay replies to requests in it; a pipe does not.
        self._sends_replies = self._is_terminal and os.isatty(1)
        self._saw_request = False
        self._leaving = asyncio.Event()
        self._ended_by: int | None = None
        self._terminal_gone = False
        self._interrupts = 0
        self._to_send: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._resizing: set[asyncio.Task[None]] = set()

    async def run(self) -> Result | None:
        loop = asyncio.get_running_loop()
        self._replies.active = self._sends_replies and self._job.live_from > 0
        if self._job.size not in (None, terminal_size()):
            self._resize()
        loop.add_signal_handler(signal.SIGWINCH, self._resize)
        showing = asyncio.create_task(self._show())
        work = [showing, *(asyncio.create_task(each) for each in (self._read(), self._send()))]
        leaving = asyncio.create_task(self._leaving.wait())
        try:
            # On a raw terminal Ctrl-C is a key and sends no SIGINT.
            with signals.handling(self._end_by):
                async with queueing(self._job):
                    await asyncio.wait([showing, leaving], return_when=asyncio.FIRST_COMPLETED)
                if showing.done() and await showing:
                    return self._job.result
                return await self._leave(showing)
        finally:
            loop.remove_signal_handler(signal.SIGWINCH)
            for task in (*work, leaving, *self._resizing):
                task.cancel()
            await asyncio.gather(*work, leaving, *self._resizing, return_exceptions=True)

    # Leaving -------------------------------------------------------------------------------------

    def _end_by(self, number: int) -> None:
        """End because of a signal: the job too, unless it stays. A second signal kills us."""
        if self._ended_by is not None:
            signals.repeat_signal(number)
        else:
            self._ended_by = number
            self._leaving.set()

    async def _leave(self, showing: asyncio.Task[bool]) -> Result | None:
        number = self._ended_by
        if number is None and self._terminal_gone:
            number = signal.SIGHUP  # which is about to arrive
        if self._stays or number is None:
            await self._detach()
            return None
        try:
            return await self._end(number, showing)
        except Cancelled:
            raise signals.EndedBySignal(number, "cancelled while queued") from None

    async def _detach(self) -> None:
        """Detach; a daemon that can't be reached will notice by itself."""
        if self._job.is_connected:
            with contextlib.suppress(ShellwireError, TimeoutError):
                async with asyncio.timeout(_DETACH_SECONDS):
                    await self._job.detach()
        else:
            self._job.abandon()

    async def _end(self, number: int, showing: asyncio.Task[bool]) -> Result:
        """End the job and return its result; without a timely connection only this program ends."""
        requested = False
        try:
            if self._job.is_connected or self._interrupts < _INTERRUPTS:
                async with asyncio.timeout(signals.KILL_REQUEST_SECONDS):
                    await self._job.kill()
                    requested = True
        except TimeoutError:
            pass
        except ShellwireError:
            requested = True  # the job has ended or can't be followed: its reader raises the error
        if not requested:
            self._job.abandon()
            raise signals.EndedBySignal(
                number, f"no connection: job {self._job.id} keeps running on the host"
            )
        timer = signals.kill_self_after(signals.JOB_END_SECONDS, number)
        try:
            if not await showing:
                await self._job.wait()
            return self._job.result
        finally:
            timer.cancel()

    # Output --------------------------------------------------------------------------------------

    async def _show(self) -> bool:
        """Write the job's output; return True when it has ended, False if our terminal has gone."""
        async for chunk in self._job:
            status_line.erase()
            self._replies.active |= self._sends_replies and chunk.replayed
            try:
                await write(chunk.stream, chunk.bytes)
            except OSError:
                if not self._is_terminal:
                    raise
                self._terminal_gone = True
                return False
            if self._replies.active:
                await self._after_replay(chunk)
        return True

    async def _after_replay(self, chunk: Chunk) -> None:
        self._saw_request |= any(each in chunk.bytes for each in _REQUESTS)
        if chunk.end < self._job.live_from:
            return
        if self._saw_request:
            self._saw_request = False
            await write("stdout", self._replies.end_replay())
            asyncio.get_running_loop().call_later(REPLY_SECONDS, self._stop_dropping)
        else:
            self._stop_dropping()

    def _stop_dropping(self) -> None:
        if self._replies.active:
            self._to_send.put_nowait(self._replies.stop())

    # Input ---------------------------------------------------------------------------------------

    async def _read(self) -> None:
        stdin = Input()
        while typed := await stdin.read():
            if self._is_interrupted(typed):
                self._end_by(signal.SIGINT)
                return
            keys = self._replies.feed(typed)
            if self._escapes is not None:
                keys, escapes = self._escapes.feed(keys)
                for escape in escapes:
                    await self._do(escape)
            self._to_send.put_nowait(keys)
        if self._is_terminal:
            self._terminal_gone = True
            self._leaving.set()
        elif self._closes:
            self._to_send.put_nowait(None)

    def _is_interrupted(self, typed: bytes) -> bool:
        """Whether Ctrl-C ends this program: the job is queued, or unreachable the third time."""
        if not self._is_terminal:
            return False
        if self._job.is_queued and not self._stays:
            return _INTERRUPT in typed
        self._interrupts = (
            0 if self._job.is_connected else self._interrupts + typed.count(_INTERRUPT)
        )
        return self._interrupts >= _INTERRUPTS

    async def _do(self, escape: str) -> None:
        if escape == "detach":
            self._leaving.set()
        else:
            await write("stderr", b"\r\n" + HELP.replace("\n", "\r\n").encode())

    async def _send(self) -> None:
        while True:
            data = await self._to_send.get()
            # Keys typed while the last message was being sent go into one message.
            while data is not None and not self._to_send.empty():
                more = self._to_send.get_nowait()
                if more is None:
                    self._to_send.put_nowait(None)
                    break
                data += more
            try:
                if data is None:
                    return await self._job.close_stdin()
                if data:
                    await self._job.write(data)
            except Disconnected:
                if self._job.is_over:
                    return None
                await write("stderr", b"\r\nshellwire: the last keys typed may be lost\r\n")
            except SessionError:
                return None  # the job has ended

    def _resize(self) -> None:
        now = terminal_size()
        if now is not None and self._job.size is not None:
            task = asyncio.create_task(self._send_size(*now))
            self._resizing.add(task)
            task.add_done_callback(self._resizing.discard)

    async def _send_size(self, cols: int, rows: int) -> None:
        with contextlib.suppress(ShellwireError):  # the job has ended, or has no terminal
            await self._job.resize(cols, rows)
