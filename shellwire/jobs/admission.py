"""Give a new job a slot or a place in the queue, or refuse it with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.errors import QueueFull, TooManyProcesses
from shellwire.jobs.model import DEFAULT_CONTEXT
from shellwire.jobs.slot_holders import describe_holders
from shellwire.jobs.slots import OverQuota

if TYPE_CHECKING:
    from shellwire.jobs.model import JobKey, Request
    from shellwire.jobs.quota import Share
    from shellwire.jobs.slots import Slots
    from shellwire.jobs.table import JobTable

_PRESET = "start --preset person gives sessions 16 slots of their own"


def admit(slots: Slots[JobKey], jobs: JobTable, key: JobKey, request: Request, share: Share) -> int:
    """Return 0 if the job may start now, else its place in the queue, counted from 1.

    If ``share`` does not allow to see others' jobs, only its principal's are counted. Raises
    QueueFull for a command, TooManyProcesses for a session.
    """
    if request.kind == "session":
        return _admit_session(slots, jobs, key, share)
    context = None
    if request.context != DEFAULT_CONTEXT:
        context = (request.namespace or key.principal, request.context)
    try:
        place = slots.admit_command(key, context, share)
    except OverQuota as over:
        raise QueueFull(_over_quota(share, over)) from None
    except QueueFull as error:
        holders = _describe(jobs, slots.running, share)
        raise QueueFull(f"{error} (--max-queue allows more); running: {holders}") from None
    return slots.waiting_of(key.principal) if place and not share.sees_all else place


def _admit_session(slots: Slots[JobKey], jobs: JobTable, key: JobKey, share: Share) -> int:
    try:
        slots.admit_session(key, share)
    except OverQuota as over:
        raise TooManyProcesses(_over_quota(share, over)) from None
    except TooManyProcesses as error:
        flag = "--max-sessions" if slots.sessions else "--max-processes"
        holders = _describe(jobs, slots.sessions or slots.running, share)
        raise TooManyProcesses(f"{error} ({flag} allows more), by {holders}") from None
    return 0


def _over_quota(share: Share, over: OverQuota) -> str:
    return f"{share.principal} has {over}, and may have no more at a time"


def _describe(jobs: JobTable, keys: list[JobKey], share: Share) -> str:
    number = f"{len(keys)} job{'s' if len(keys) > 1 else ''}"
    return f"{number} ({_PRESET}): {describe_holders([jobs[key] for key in keys], share)}"
