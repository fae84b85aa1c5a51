"""A command whose streams are ours: stdin goes there, stdout and stderr come from there, apart."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

from shellwire.cli.line import line
from shellwire.cli.pipes import Input, write
from shellwire.cli.say import say
from shellwire.cli.signals import (
    END_SECONDS,
    JOB_SECONDS,
    Ended,
    again,
    die,
    handling,
    hint_at_hangup,
)
from shellwire.cli.waiting import queueing
from shellwire.errors import Cancelled, SessionError, ShellwireError

if TYPE_CHECKING:
    from shellwire.client import Client, Job, Result
    from shellwire.client.options import CommandOptions


async def with_pipes(client: Client, command: str, options: CommandOptions) -> Result:
    """Run a command to its end. Raises OSError if what it writes can't be written here."""
    options["open_stdin"] = True
    async with client.stream(command, **options) as job:
        interrupts = _Interrupts(job)
        feeding = asyncio.create_task(_feed(job))
        try:
            with handling(interrupts):
                async with queueing(job):
                    async for chunk in job:
                        line.erase()
                        await write(chunk.stream, chunk.bytes)
        except Cancelled:
            if interrupts.ending is None:
                raise
            raise Ended(interrupts.ending, "cancelled before it ran") from None
        finally:
            feeding.cancel()
            interrupts.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
    return job.result


async def _feed(job: Job) -> None:
    given = Input()
    try:
        while piece := await given.read():
            await job.write(piece)
        await job.close_stdin()
    except SessionError:
        return  # it has ended, and has no use for more
    except ShellwireError as error:
        await job.end_with(error)


class _Interrupts:
    """Hands Ctrl-C on; the second one ends the job, the third only us.

    What else ends a program ends the job, and then us, and only us when it comes again.
    """

    def __init__(self, job: Job) -> None:
        self.ending: int | None = None
        """The signal that ends the job."""
        self._job = job
        self._tasks: list[asyncio.Task[None]] = []
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, number: int) -> None:
        """Deal with a signal."""
        if self.ending is not None:
            again(number)
        elif number == signal.SIGINT and not self._tasks:
            self._tasks.append(asyncio.create_task(self._interrupt()))
        else:
            self._begin_to_end(number)

    def cancel(self) -> None:
        """Do nothing more: the job has ended."""
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
            say("shellwire: no connection to hand Ctrl-C on; once more ends this", err=True)
        try:
            await self._job.signal("INT")
        except ShellwireError:  # it has just been queued, say
            self._begin_to_end(signal.SIGINT)

    async def _end(self, number: int) -> None:
        """End the job; if its daemon can't be told soon, only us, by the signal that we got."""
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._job.kill()
        except TimeoutError:
            with contextlib.suppress(OSError):
                goes_on = f"no connection; job {self._job.id} goes on there"
                say(f"shellwire: {goes_on}{hint_at_hangup()}", err=True)
            die(number)
        except ShellwireError:
            pass  # it has ended, or can't be followed any more: who follows it knows
        # Its end comes by itself, unless nobody reads what we write.
        self._timer = asyncio.get_running_loop().call_later(JOB_SECONDS, self._give_up, number)

    def _give_up(self, number: int) -> None:
        say(f"shellwire: job {self._job.id} was told to end, and its end has not come", err=True)
        die(number)
