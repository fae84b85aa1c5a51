"""Exit codes and closing messages when a job has ended or was detached from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shellwire.cli.errors import Failure, called_as, note
from shellwire.cli.remote import EXIT_UNAVAILABLE
from shellwire.cli.table import duration
from shellwire.output import printable

if TYPE_CHECKING:
    from shellwire.client import Client, Result
    from shellwire.client.results import Message

_REASONS = {
    "timed_out": "timed out",
    "cancelled": "cancelled",
    "killed": "killed",
    "output_limit": "ended: it exceeded the output limit (--max-output of the daemon)",
    "idle": "ended: it was idle for too long (--idle-timeout of the daemon)",
    "lost": "lost: the daemon was killed while the job ran, and its exit code is unknown",
}

_EXIT_TIMED_OUT = 124
"""As timeout(1) exits."""


def exit_as(result: Result | None, otherwise: int = 0) -> None:
    """Exit with the job's exit code; print a line if the code does not tell what happened.

    ``otherwise`` replaces an exit code of 0.
    """
    if result is None:
        click.get_current_context().exit(otherwise)
    for notice in result.notices:
        note(f"shellwire: {notice.message}")
    if result.missing:
        note(f"shellwire: {result.missing} bytes of output were lost")
    if result.error is not None:
        raise Failure(result.error, EXIT_UNAVAILABLE)
    _note_reason(result)
    if result.reason == "timed_out":
        click.get_current_context().exit(_EXIT_TIMED_OUT)
    if result.exit_code < 0:
        code = 128 - result.exit_code if result.signal is not None else EXIT_UNAVAILABLE
    else:
        code = low_byte(result.exit_code)
    click.get_current_context().exit(code or otherwise)


async def note_end(client: Client, job_id: str, end: int) -> None:
    """Print who ended an ended job, and why, if that is told; ``end``: its output is read so far.

    Nothing is printed if the daemon does not let this client follow the job.
    """
    from shellwire.errors import Cancelled, Forbidden, NotFound, OutputLost

    try:
        async with client.attach(job_id, end) as job:
            result = await job.wait()
    except Cancelled as error:
        note(f"shellwire: {error}")
    except (NotFound, Forbidden, OutputLost):
        pass
    else:
        if result.by is not None or result.message is not None:
            _note_reason(result)


def _note_reason(result: Result) -> None:
    if result.reason == "exited":
        return
    from shellwire.cli.signals import hangup_hint

    how = _REASONS.get(result.reason, result.reason)
    if result.by is not None:
        how += f" by {printable(result.by)}"
    if result.message is not None:
        how += f": {printable(result.message)}"
    note(f"shellwire: {how}{hangup_hint()}")


def low_byte(code: int) -> int:
    """Return the low byte of an exit code; 255 if that would turn a failure (256) into 0."""
    return code & 0xFF or (EXIT_UNAVAILABLE if code else 0)


def detach_limit(status: Message) -> str:
    """Return how long a shell runs without this client, as part of a sentence."""
    seconds = status["limits"]["detach_ttl_seconds"]
    if not seconds:
        return "; the job has no time limit"
    return f"; the job ends after {duration(seconds)} without use"


def hint_attach(
    result: Result | None, name: str, host: str | None, limit: str = ""
) -> Result | None:
    """Return the result; if it is None, because of a detach, print how to reattach.

    ``name`` is the job's name or id.
    """
    if result is None:
        on_host = f" -H {host}" if host else ""
        note("")
        note(f"shellwire: detached; `{called_as()} attach{on_host} {name}` reattaches{limit}")
    return result
