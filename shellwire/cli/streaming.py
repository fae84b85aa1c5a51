"""Run a command with this program's stdin, stdout and stderr."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

from shellwire.cli.pipes import Input, write
from shellwire.cli.printing import print_line
from shellwire.cli.signals import (
    JOB_END_SECONDS,
    KILL_REQUEST_SECONDS,
    EndedBySignal,
    handling,
    hangup_hint,
    kill_self,
    repeat_signal,
)
from shellwire.cli.status_line import status_line
from shellwire.cli.waiting import queueing
from shellwire.errors import Cancelled, SessionError, ShellwireError

if TYPE_CHECKING:
    from shellwire.client import Client, Job, Result
    from shellwire.client.options import CommandOptions


async def run_streaming(client: Client, command: str, options: CommandOptions) -> Result:
    """Run a command to its end. Raises OSError if its output can't be written."""
    options["open_stdin"] = True
    async with client.stream(command, **options) as job:
        forwarder = _SignalForwarder(job)
        sending = asyncio.create_task(_send_stdin(job))
        try:
            with handling(forwarder):
                async with queueing(job):
                    async for chunk in job:
                        status_line.erase()
                        await write(chunk.stream, chunk.bytes)
        except Cancelled:
            if forwarder.ending is None:
                raise
            raise EndedBySignal(forwarder.ending, "cancelled while queued") from None
        finally:
            sending.cancel()
            forwarder.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    return job.result


async def _send_stdin(job: Job) -> None:
    stdin = Input()
    try:
        while data := await stdin.read():
            await job.write(data)
        await job.close_stdin()
    except SessionError:
        return  # the job has ended
    except ShellwireError as error:
        await job.end_with(error)


class _SignalForwarder:
    """A signal handler: the first Ctrl-C goes to the job, the second ends it, the third only us.

    SIGTERM and SIGHUP end the job and then this program; a second one ends only this program.
    """

    def __init__(self, job: Job) -> None:
        self.ending: int | None = None
        """The signal that made this program end the job."""
        self._job = job
        self._tasks: list[asyncio.Task[None]] = []
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, number: int) -> None:
        """Handle a signal."""
        if self.ending is not None:
            repeat_signal(number)
        elif number == signal.SIGINT and not self._tasks:
            self._tasks.append(asyncio.create_task(self._interrupt()))
        else:
            self._begin_to_end(number)

    def cancel(self) -> None:
        """Cancel all that is pending: the job has ended."""
        for task in self._tasks:
            task.cancel()
        if self._timer is not None:
            self._timer.cancel()

    def _begin_to_end(self, number: int) -> None:
        if self.ending is None:
            self.ending = number
            self._tasks.append(asyncio.create_task(self._end(number)))

    async def _interrupt(self) -> None:
        if self._job.is_queued:
            return self._begin_to_end(signal.SIGINT)
        if not self._job.is_connected:
            message = "no connection: Ctrl-C is sent after reconnecting; press it again to end this"
            print_line(f"shellwire: {message}", err=True)
        try:
            await self._job.signal("INT")
        except ShellwireError:  # for example, the job does not run yet
            self._begin_to_end(signal.SIGINT)

    async def _end(self, number: int) -> None:
        """End the job; without a timely connection die of the signal instead."""
        try:
            async with asyncio.timeout(KILL_REQUEST_SECONDS):
                await self._job.kill()
        except TimeoutError:
            with contextlib.suppress(OSError):
                message = f"no connection: job {self._job.id} keeps running on the host"
                print_line(f"shellwire: {message}{hangup_hint()}", err=True)
            kill_self(number)
        except ShellwireError:
            pass  # the job has ended or can't be followed: its reader raises the error
        # The job's end arrives by itself, unless the reader of our output is stuck.
        self._timer = asyncio.get_running_loop().call_later(JOB_END_SECONDS, self._give_up, number)

    def _give_up(self, number: int) -> None:
        print_line(f"shellwire: job {self._job.id} was told to end but has not ended", err=True)
        kill_self(number)
