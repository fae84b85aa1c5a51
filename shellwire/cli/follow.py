"""A command whose streams are ours: stdin goes there, stdout and stderr come from there, apart."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

from shellwire.cli.pipes import Input, write
from shellwire.cli.say import say
from shellwire.errors import SessionError, ShellwireError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shellwire.client import Client, Job, Result
    from shellwire.client.options import CommandOptions

_ENDING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]

_END_SECONDS = 3.0
"""Seconds that the daemon has to hear that a job is to end."""

_LAST_SECONDS = 10.0
"""Seconds from then in which the job's end must have come: TERM, 2 s, KILL, and the way here."""


async def with_pipes(client: Client, command: str, options: CommandOptions) -> Result:
    """Run a command to its end. Raises OSError if what it writes can't be written here."""
    options["open_stdin"] = True
    async with client.stream(command, **options) as job:
        feeding = asyncio.create_task(_feed(job))
        try:
            with interrupts(job):
                async for chunk in job:
                    await write(chunk.stream, chunk.bytes)
        finally:
            feeding.cancel()
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


@contextlib.contextmanager
def interrupts(job: Job) -> Iterator[None]:
    """Hand Ctrl-C on while the block runs; the second one ends the job, and then us.

    What else ends a program ends the job, and then us, at once. One more signal ends us whatever
    we wait for, and so does the job's end if it does not come. On Windows, whose event loop hears
    of no signal, Ctrl-C ends us, and the job with us.
    """
    if sys.platform == "win32":
        yield
        return
    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Task[None]] = []

    def do(number: int) -> None:
        gentle = number == signal.SIGINT and not tasks
        tasks.append(asyncio.create_task(_interrupt(job) if gentle else _end(job, number)))
        if not gentle:
            for each in _ENDING:
                loop.remove_signal_handler(each)
                signal.signal(each, signal.SIG_DFL)

    for each in _ENDING:
        loop.add_signal_handler(each, do, each)
    try:
        yield
    finally:
        for each in _ENDING:
            loop.remove_signal_handler(each)
        for task in tasks:
            task.cancel()


async def _interrupt(job: Job) -> None:
    try:
        await job.signal("INT")
    except ShellwireError:  # it waits for a slot, say
        await _end(job, signal.SIGINT)


async def _end(job: Job, number: int) -> None:
    """End the job; if nothing comes of that soon, only us, by the signal that we got."""
    words = f"no connection; job {job.id} goes on there"
    try:
        async with asyncio.timeout(_END_SECONDS):
            await job.kill()
        # Whoever follows it sees its end, and cancels this.
        await asyncio.sleep(_LAST_SECONDS)
        words = f"job {job.id} was told to end, and its end has not come"
    except ShellwireError:
        return  # it has ended, or can't be followed any more: who follows it knows
    except TimeoutError:
        pass
    say(f"shellwire: {words}", err=True)
    asyncio.get_running_loop().remove_signal_handler(number)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
