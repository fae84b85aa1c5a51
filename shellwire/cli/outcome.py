"""What is said, and with which code we exit, when a job has ended or was left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shellwire.cli.errors import Failure, called_as, note
from shellwire.cli.remote import TROUBLE
from shellwire.cli.table import duration

if TYPE_CHECKING:
    from shellwire.client import Result
    from shellwire.client.results import Message

_ENDINGS = {
    "timed_out": "ended: its time was over",
    "cancelled": "cancelled",
    "killed": "killed",
    "output_limit": "ended: it wrote more than it may (--max-output of the daemon)",
    "idle": "ended: nobody used it for too long (--idle-timeout of the daemon)",
    "lost": "lost: the daemon was killed while it ran, and nobody knows how it ended",
}

_TIMED_OUT = 124
"""Exit code of a command whose time was over, as timeout(1) has it."""


def exit_as(result: Result | None, otherwise: int = 0) -> None:
    """End as a job did: with its exit code, and a line where that does not tell what happened.

    ``otherwise`` is our own where the job's is 0.
    """
    if result is None:
        click.get_current_context().exit(otherwise)
    for notice in result.notices:
        note(f"shellwire: {notice.message}")
    if result.missing:
        note(f"shellwire: {result.missing} bytes of output are lost")
    if result.error is not None:
        raise Failure(result.error, TROUBLE)
    if result.reason != "exited":
        from shellwire.cli.signals import hint_at_hangup

        how = _ENDINGS.get(result.reason, result.reason)
        note(f"shellwire: {how}{hint_at_hangup()}")
    if result.reason == "timed_out":
        click.get_current_context().exit(_TIMED_OUT)
    if result.exit_code < 0:
        code = 128 - result.exit_code if result.signal is not None else TROUBLE
    else:
        code = low_byte(result.exit_code)
    click.get_current_context().exit(code or otherwise)


def low_byte(code: int) -> int:
    """Return what is left of an exit code here; what failed there (256 on Windows) is no 0."""
    return code & 0xFF or (TROUBLE if code else 0)


def limit_of(status: Message) -> str:
    """Return how long the shell goes on without this client, as a part of a sentence."""
    seconds = status["limits"]["detach_ttl_seconds"]
    if not seconds:
        return "; it goes on without a time limit"
    return f"; it ends when nobody has used it for {duration(seconds)}"


def explain_result(
    result: Result | None, job_id: str, host: str | None, limit: str = ""
) -> Result | None:
    """Return the result; if there is none, for the job was left, say how to come back to it."""
    if result is None:
        there = f" -H {host}" if host else ""
        note("")
        note(f"shellwire: detached; `{called_as()} attach{there} {job_id}` comes back{limit}")
    return result
