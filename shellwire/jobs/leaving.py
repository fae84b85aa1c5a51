"""The leaders whose reports have concluded their jobs, until they have exited and are reaped."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.jobs.best_effort import best_effort
from shellwire.principals import OWNER
from shellwire.process import kill

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.jobs.job import Job
    from shellwire.jobs.model import ClientKey
    from shellwire.jobs.run import Run
    from shellwire.process.reap import Exit
    from shellwire.shell.context import Context

log = logging.getLogger(__name__)

LIMIT = 2.0
"""Seconds that a leader may take from its report to its exit, before the daemon ends it."""


@dataclass(slots=True)
class _Leader:
    job: Job
    run: Run
    reported: Exit
    since: float
    is_overdue: bool = False


class LeavingLeaders:
    """The leaders that have reported and that nobody has reaped yet, the first one first.

    A leader still holds its files, locks, ports and memory. So no job of the same client or context
    gets its command before. There are at most ``room`` of them, one for each process slot; without
    room a job is concluded by its leader's exit.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._leaders: dict[Job, _Leader] = {}
        # Commands that wait, each with the jobs whose leaders it waits for.
        self._waiting: list[tuple[set[Job], Callable[[], None]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._endings: set[asyncio.Task[bool]] = set()

    def __contains__(self, job: Job) -> bool:
        return job in self._leaders

    def has_room_for(self, principal: str) -> bool:
        """Whether one more leader may be added, of a job of ``principal``.

        Its slot is free already. So of a principal that has a quota there is one at most: it can't
        gather processes beside its quota.
        """
        if principal != OWNER and any(job.key.principal == principal for job in self._leaders):
            return False
        return len(self._leaders) < self._room

    def accept_no_more(self) -> None:
        """Let each job that has no outcome yet be concluded by its leader's exit."""
        self._room = 0

    def add(self, job: Job, run: Run, reported: Exit) -> None:
        """Add the leader of ``run``, which is to exit soon as it has ``reported``."""
        now = asyncio.get_running_loop().time()
        self._leaders[job] = _Leader(job, run, reported, now)
        self._watch()

    def remove(self, job: Job) -> bool:
        """Remove the leader of ``job``, which is reaped now. Returns False if it is not here.

        The commands that have waited for it alone are sent.
        """
        leader = self._leaders.pop(job, None)
        if leader is None:
            return False
        ended = leader.run.exit
        if ended is not None and ended.code != leader.reported.code:
            log.info(
                "%s: its shell reported exit code %d, then ended with %d",
                _name(job),
                leader.reported.code,
                ended.code,
            )
        waiting, self._waiting = self._waiting, []
        for awaited, send in waiting:
            awaited.discard(job)
            if awaited:
                self._waiting.append((awaited, send))
            else:
                best_effort("a command could not be sent to its shell", send)
        return True

    def send_after(self, client: ClientKey, context: Context, send: Callable[[], None]) -> None:
        """Call ``send()`` when no leader of this client or context is left, perhaps at once."""
        awaited = {
            job for job in self._leaders if job.key.client == client or job.context is context
        }
        if awaited:
            self._waiting.append((awaited, send))
        else:
            send()

    def _watch(self) -> None:
        # One timer for all: a timer for each of a thousand leaders a second would cost more.
        if self._timer is not None:
            return
        oldest = next((each for each in self._leaders.values() if not each.is_overdue), None)
        if oldest is not None:
            at = oldest.since + LIMIT
            self._timer = asyncio.get_running_loop().call_at(at, self._end_overdue)

    def _end_overdue(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for leader in self._leaders.values():
            if leader.is_overdue or leader.since + LIMIT > now:
                continue
            leader.is_overdue = True
            log.warning(
                "%s: process %d has not exited %g s after its report, and is ended",
                _name(leader.job),
                leader.run.pid,
                LIMIT,
            )
            self._end(leader.run)
        self._watch()

    def _end(self, run: Run) -> None:
        process = kill.OneProcess(run.pid, lambda: run.exit is not None)
        ending = asyncio.create_task(kill.end(process))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    def close(self) -> None:
        """Stop ending leaders."""
        if self._timer is not None:
            self._timer.cancel()
        for ending in self._endings:
            ending.cancel()


def _name(job: Job) -> str:
    return f"job {job.key.id} of client {job.key.client_id}"
