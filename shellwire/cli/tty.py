"""A job's terminal, shown on ours: raw, of the same size, and left as it was found."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import termios
import tty
from typing import TYPE_CHECKING

from shellwire.cli import signals
from shellwire.cli.caller import terminal_variables
from shellwire.cli.keys import HELP, Escapes, Replies
from shellwire.cli.line import line
from shellwire.cli.pipes import Input, write
from shellwire.cli.waiting import queueing
from shellwire.errors import Cancelled, Disconnected, SessionError, ShellwireError
from shellwire.protocol.limits import MAX_COLUMNS, MAX_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shellwire.client import Chunk, Client, Job, Result
    from shellwire.client.options import CommandOptions, Options

ANSWER_SECONDS = 1.0
"""Seconds that a terminal has to answer; one that does not is taken to answer nothing."""

_LEAVE_SECONDS = 2.0
_INTERRUPT = b"\x03"  # Ctrl-C
_INTERRUPTS = 3  # which end us where there is no connection that could take one
_ASKS = (b"\x1b", b"\x05")  # ESC begins every question but ENQ


async def on_terminal(
    client: Client, command: str, options: CommandOptions, *, escapes: bool
) -> tuple[Result | None, str]:
    """Run a command on a terminal like ours; return its result, None if it was left, and its id.

    Ctrl-C is a key, and what ends us ends it.
    """
    like_ours(options)
    options["pty"] = True
    async with client.stream(command, **options) as job:
        return await show(job, stays=False, escapes=escapes), job.id


def like_ours(options: Options) -> None:
    """Ask for a terminal of our terminal's size and abilities; a variable that is given counts."""
    options["cols"], options["rows"] = size() or (80, 24)
    options["env"] = {**terminal_variables(), **options.get("env", {})}


async def show(
    job: Job, *, stays: bool = True, closes: bool = True, escapes: bool = True
) -> Result | None:
    """Show a job on our terminal until it ends, or until it is left to go on; None then.

    It is left on `~.` if there are ``escapes``, and on Ctrl-C three times without a connection. On
    SIGHUP, SIGTERM and SIGINT, and when our terminal is gone, it ``stays`` likewise, or is ended.
    If it ``closes``, the end of an input that is no terminal is the end of the job's.
    """
    console = _Console(job, stays=stays, closes=closes, escapes=escapes)
    with _raw() if job.size is not None else contextlib.nullcontext():
        return await console.run()


def size() -> tuple[int, int] | None:
    """Return our terminal's columns and rows, None if we have none."""
    for file in (1, 0, 2):
        with contextlib.suppress(OSError):
            size = os.get_terminal_size(file)
            if size.columns and size.lines:
                return min(size.columns, MAX_COLUMNS), min(size.lines, MAX_ROWS)
    return None


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """Have our terminal pass on every key while the block runs."""
    if not os.isatty(0):
        yield
        return
    before = termios.tcgetattr(0)
    # Not TCSAFLUSH, tty's default: what was typed ahead is meant for the job.
    tty.setraw(0, termios.TCSADRAIN)

    def restore() -> None:
        with contextlib.suppress(termios.error):  # it has gone
            termios.tcsetattr(0, termios.TCSADRAIN, before)

    try:
        with signals.cleaning_up(restore):
            yield
    finally:
        restore()


class _Console:
    def __init__(self, job: Job, *, stays: bool, closes: bool, escapes: bool) -> None:
        self._job = job
        self._stays = stays
        self._closes = closes
        # Asked now: of a terminal that has gone nobody can tell any more that it was one.
        self._shows = os.isatty(0) and job.size is not None
        self._escapes = Escapes() if escapes and self._shows else None
        self._replies = Replies()
        # A terminal that shows the replay answers it; a pipe does not.
        self._answers = self._shows and os.isatty(1)
        self._asked = False
        self._leaving = asyncio.Event()
        self._ended_by: int | None = None
        self._terminal_gone = False
        self._interrupts = 0
        self._to_send: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._resizing: set[asyncio.Task[None]] = set()

    async def run(self) -> Result | None:
        loop = asyncio.get_running_loop()
        self._replies.active = self._answers and self._job.live_from > 0
        if self._job.size not in (None, size()):
            self._resize()
        loop.add_signal_handler(signal.SIGWINCH, self._resize)
        showing = asyncio.create_task(self._show())
        work = [showing, *(asyncio.create_task(each) for each in (self._read(), self._send()))]
        leaving = asyncio.create_task(self._leaving.wait())
        try:
            # On a raw terminal Ctrl-C is a key, and not SIGINT.
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
        """End by a signal: the job too, unless it stays. The second one ends us at once."""
        if self._ended_by is not None:
            signals.again(number)
        else:
            self._ended_by = number
            self._leaving.set()

    async def _leave(self, showing: asyncio.Task[bool]) -> Result | None:
        number = self._ended_by
        if number is None and self._terminal_gone:
            number = signal.SIGHUP  # which is on its way
        if self._stays or number is None:
            await self._detach()
            return None
        try:
            return await self._end(number, showing)
        except Cancelled:
            raise signals.Ended(number, "cancelled before it ran") from None

    async def _detach(self) -> None:
        """Leave it alone; if the daemon can't be told, it will find out."""
        if self._job.is_connected:
            with contextlib.suppress(ShellwireError, TimeoutError):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await self._job.detach()
        else:
            self._job.abandon()

    async def _end(self, number: int, showing: asyncio.Task[bool]) -> Result:
        """End the job and return how it ended; if its daemon can't be told soon, end only us."""
        told = False
        try:
            if self._job.is_connected or self._interrupts < _INTERRUPTS:
                async with asyncio.timeout(signals.END_SECONDS):
                    await self._job.kill()
                    told = True
        except TimeoutError:
            pass
        except ShellwireError:
            told = True  # it has ended, or can't be followed any more: who follows it knows
        if not told:
            self._job.abandon()
            raise signals.Ended(number, f"no connection; job {self._job.id} goes on there")
        timer = signals.die_in(signals.JOB_SECONDS, number)
        try:
            if not await showing:
                await self._job.wait()
            return self._job.result
        finally:
            timer.cancel()

    # Output --------------------------------------------------------------------------------------

    async def _show(self) -> bool:
        """Show all that comes; return whether the job has ended, not our terminal gone."""
        async for chunk in self._job:
            line.erase()
            self._replies.active |= self._answers and chunk.replayed
            try:
                await write(chunk.stream, chunk.bytes)
            except OSError:
                if not self._shows:
                    raise
                self._terminal_gone = True
                return False
            if self._replies.active:
                await self._after_replay(chunk)
        return True

    async def _after_replay(self, chunk: Chunk) -> None:
        self._asked |= any(each in chunk.bytes for each in _ASKS)
        if chunk.end < self._job.live_from:
            return
        if self._asked:
            self._asked = False
            await write("stdout", self._replies.ask())
            asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._stop_dropping)
        else:
            self._stop_dropping()

    def _stop_dropping(self) -> None:
        if self._replies.active:
            self._to_send.put_nowait(self._replies.stop())

    # Input ---------------------------------------------------------------------------------------

    async def _read(self) -> None:
        given = Input()
        while piece := await given.read():
            if self._is_interrupted(piece):
                self._end_by(signal.SIGINT)
                return
            kept = self._replies.feed(piece)
            if self._escapes is not None:
                kept, escapes = self._escapes.feed(kept)
                for escape in escapes:
                    await self._do(escape)
            self._to_send.put_nowait(kept)
        if self._shows:
            self._terminal_gone = True
            self._leaving.set()
        elif self._closes:
            self._to_send.put_nowait(None)

    def _is_interrupted(self, typed: bytes) -> bool:
        """Whether Ctrl-C is for us: the job waits for a slot, or has not been there three times."""
        if not self._shows:
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
            while data is not None and not self._to_send.empty():  # typed while the last one went
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
                await write("stderr", b"\r\nshellwire: what was typed last may be lost\r\n")
            except SessionError:
                return None  # it has ended

    def _resize(self) -> None:
        now = size()
        if now is not None and self._job.size is not None:
            task = asyncio.create_task(self._tell_size(*now))
            self._resizing.add(task)
            task.add_done_callback(self._resizing.discard)

    async def _tell_size(self, cols: int, rows: int) -> None:
        with contextlib.suppress(ShellwireError):  # it has ended, or has no terminal
            await self._job.resize(cols, rows)
