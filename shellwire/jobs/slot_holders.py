"""Name the jobs that hold the process slots, so that the user knows what to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.jobs.snapshot import snapshot
from shellwire.output import printable, utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shellwire.jobs.job import Job
    from shellwire.jobs.quota import Share

MAX_NAMED = 10
"""The most jobs that one message names; --max-processes may be 1,024."""

_LONGEST_COMMAND = 60

_HIDDEN = "another user's command"


def describe_holders(jobs: Sequence[Job], share: Share) -> str:
    """Return id, command and start of each job, in one line without control characters.

    A job that ``share`` does not allow to be seen is "another user's command".
    """
    named = [
        _describe(job) if share.sees_all or job.key.principal == share.principal else _HIDDEN
        for job in jobs[:MAX_NAMED]
    ]
    if len(jobs) > MAX_NAMED:
        named.append(f"and {len(jobs) - MAX_NAMED} more")
    return "; ".join(named)


def _describe(job: Job) -> str:
    now = snapshot(job)
    command = printable(now.command)
    if len(command) > _LONGEST_COMMAND:
        command = f"{command[: _LONGEST_COMMAND - 1]}…"
    return f"{printable(now.key.id)} (`{command}`, since {utc(now.started_at or 0.0)})"
