"""Describe a job at one moment, as an immutable value."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.shell.text import decoded

if TYPE_CHECKING:
    from shellwire.jobs.job import Job
    from shellwire.jobs.model import JobKey, Kind, Outcome, Request, State


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The description of a job at one moment."""

    key: JobKey
    kind: Kind
    state: State
    command: str
    context: str
    cwd: str | None
    pid: int | None
    pids: tuple[int, ...]
    size: tuple[int, int] | None
    started_at: float | None
    """Seconds since the epoch."""
    ended_at: float | None
    """Seconds since the epoch."""
    uptime: float
    """Seconds from the start until now, or until the end."""
    outcome: Outcome | None
    start: int
    end: int
    name: str | None
    touched_at: float
    """When a client last asked for the job or stopped reading it, in seconds since the epoch."""


def state_of(job: Job) -> State:
    """Return the state of ``job`` as clients see it.

    A job is in the background only once its leader is reaped and something is known to be left.
    """
    return "ended" if job.state == "background" and not job.has_background else job.state


def context_shown(request: Request) -> str:
    """Return the name of the context; with its principal, if that is another than the client's."""
    if request.namespace is None:
        return request.context
    return f"{request.namespace}/{request.context}"


def snapshot(job: Job) -> Snapshot:
    """Return the description of ``job`` at this moment."""
    return Snapshot(
        key=job.key,
        kind=job.request.kind,
        state=state_of(job),
        command=job.command,
        context=context_shown(job.request),
        cwd=None if job.cwd is None else decoded(job.cwd),
        pid=job.pid,
        pids=job.pids,
        size=job.size,
        started_at=job.clock.started_at,
        ended_at=job.clock.ended_at,
        uptime=job.clock.duration,
        outcome=job.outcome,
        start=job.buffer.start,
        end=job.buffer.end,
        name=job.request.name,
        touched_at=time.time() - (time.monotonic() - job.readers.touched_at),
    )
