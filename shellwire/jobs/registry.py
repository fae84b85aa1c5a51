"""All jobs: which may run, how they end, and how long they are retained."""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from typing import TYPE_CHECKING

from shellwire.errors import (
    Cancelled,
    DaemonStopping,
    DuplicateId,
    InvalidMessage,
    NotFound,
)
from shellwire.jobs.admission import admit
from shellwire.jobs.best_effort import best_effort
from shellwire.jobs.disconnect import DisconnectPolicy
from shellwire.jobs.ended import EndedJobs, Retention
from shellwire.jobs.grace_period import GracePeriod
from shellwire.jobs.job import Job
from shellwire.jobs.leaving import LeavingLeaders
from shellwire.jobs.model import JobKey, Request
from shellwire.jobs.quota import OWNERS_SHARE
from shellwire.jobs.recent_keys import RecentKeys
from shellwire.jobs.slots import Slots
from shellwire.jobs.table import JobTable
from shellwire.process import kill

if TYPE_CHECKING:
    from shellwire.jobs.contexts import Contexts
    from shellwire.jobs.engine import Engine
    from shellwire.jobs.model import ClientKey, EndedBy, Kind
    from shellwire.jobs.quota import Share
    from shellwire.shell.context import Context

log = logging.getLogger(__name__)

MAX_BACKGROUND = 32
"""The most jobs of a principal whose background output is kept; beyond it, the oldest job's is
discarded."""

MAX_RECENT_KEYS = 10_000
"""How many job keys of a principal are remembered, so that no request runs twice."""


class Registry:
    """The jobs of all principals. Call from the event loop; all methods but ``stop`` are quick."""

    def __init__(
        self,
        engine: Engine,
        contexts: Contexts,
        *,
        max_processes: int = 4,
        max_queue: int = 16,
        max_sessions: int | None = None,
        retention: Retention | None = None,
        detach_ttl: float = 0.0,
    ) -> None:
        self.contexts = contexts
        self._disconnect_policy = DisconnectPolicy(detach_ttl, self.jobs, self._end_abandoned)
        self._engine = engine
        self._slots: Slots[JobKey] = Slots(max_processes, max_queue, max_sessions)
        self._leaving = LeavingLeaders(max_processes)
        self._jobs = JobTable()
        # Jobs that have a slot and are about to start.
        self._next: deque[JobKey] = deque()
        # Jobs with background processes, the oldest first.
        self._background: dict[Job, None] = {}
        self._ended_jobs = EndedJobs(retention or Retention(), self._forget)
        # Jobs that still have processes, but whose output is no longer retained.
        self._without_output: set[Job] = set()
        self._recent_keys: dict[str, RecentKeys] = defaultdict(lambda: RecentKeys(MAX_RECENT_KEYS))
        self._stopping = False
        self._grace_period = GracePeriod()

    # Clients -------------------------------------------------------------------------------------

    def client_connected(self, client: ClientKey, *, transient: bool) -> None:
        """Record that a client has connected. A ``transient`` one is a one-shot tool."""
        self._disconnect_policy.client_connected(client)
        self.contexts.client_connected(client, transient=transient)

    def client_disconnected(self, client: ClientKey) -> None:
        """Record that a client has disconnected. Not called if it has reconnected already."""
        self._disconnect_policy.client_disconnected(client)
        self._drop_context(client)

    def _drop_context(self, client: ClientKey) -> None:
        """Drop a transient client's ``default`` context if client and running jobs are gone."""
        if not self.contexts.is_transient(client):
            return
        jobs = (job for job in self._jobs.current() if job.key.client == client)
        is_connected = self._disconnect_policy.is_connected(client)
        if not is_connected and all(job.outcome is not None for job in jobs):
            self.contexts.drop(client)

    # Starting ------------------------------------------------------------------------------------

    def submit(
        self, key: JobKey, request: Request, *, once: bool, share: Share = OWNERS_SHARE
    ) -> tuple[Job, int]:
        """Admit a job, or queue a command. Returns the job and its place in the queue.

        At place 0 the job is not queued, and the caller starts it. If ``share`` does not allow to
        see others' jobs, they are not counted. ``once`` also refuses the id of a job that has
        ended. Raises DuplicateId, QueueFull, TooManyProcesses, DaemonStopping or
        InvalidMessage; the id can then be used again.
        """
        if self._stopping:
            raise DaemonStopping("the daemon is stopping")
        old = self._jobs.get(key)
        if (old is not None and old.outcome is None) or (
            once and key in self._recent_keys[key.principal]
        ):
            raise DuplicateId(f"id {key.id} is in use")
        if request.name is not None and self._jobs.name_is_taken(request.name, key.principal):
            raise DuplicateId(f"name {request.name} is in use")
        place = admit(self._slots, self._jobs, key, request, share)
        try:
            context = self.contexts.get(key.client, request.context, request.namespace)
        except InvalidMessage:
            self._slots.leave(key)
            raise
        if old is not None:
            self._replace(old)
        job = self._make(key, request, context)
        self._add(job)
        return job, place

    def mark_lost(self, key: JobKey, kind: Kind, started_at: float) -> None:
        """Add the record of a job that was running when an earlier daemon crashed."""
        self._add(self._make(key, Request(kind, b""), self.contexts.fresh()))
        self._jobs[key].mark_lost(started_at)

    def _make(self, key: JobKey, request: Request, context: Context) -> Job:
        return Job(
            key,
            request,
            context,
            self._engine,
            leaving=self._leaving,
            on_released=self._on_released,
            on_background=self._on_background,
            on_ended=self._on_ended,
        )

    def _add(self, job: Job) -> None:
        self._jobs.add(job)
        self._recent_keys[job.key.principal].add(job.key)

    def _on_released(self, job: Job) -> None:
        self._drop_context(job.key.client)
        starting = bool(self._next)
        self._next.extend(self._slots.leave(job.key))
        if starting:
            return
        # A job that can't be started releases its slot within start(), and so calls this method
        # again. That inner call only queues the next job; the loop here starts it.
        while self._next:
            best_effort("a queued job can't be started", self._jobs[self._next[0]].start)
            self._next.popleft()

    def _on_background(self, job: Job) -> None:
        self._background[job] = None
        own = [each for each in self._background if each.key.principal == job.key.principal]
        if len(own) > MAX_BACKGROUND:
            own[0].discard_output()

    # Finding -------------------------------------------------------------------------------------

    def find(self, client: ClientKey, job_id: str, *, everywhere: bool) -> Job:
        """Return a job by id or name (see ``JobTable.find``). Raises NotFound."""
        return self._jobs.find(client, job_id, everywhere=everywhere)

    def has_id(self, job_id: str, principal: str | None) -> bool:
        """Whether a job of ``principal``, or of any (None), has this id."""
        return self._jobs.has_id(job_id, principal)

    def jobs(self, principal: str | None = None) -> list[Job]:
        """Return every job of a principal that is alive or retained, the oldest first; or all."""
        jobs = self._jobs.all()
        return jobs if principal is None else [j for j in jobs if j.key.principal == principal]

    def running(self, kind: str, principal: str | None = None) -> int:
        """Return how many jobs of a kind hold a slot, of a principal or of all."""
        holders = (*self._slots.running, *self._slots.sessions)
        return sum(
            self._jobs[key].request.kind == kind and principal in (None, key.principal)
            for key in holders
        )

    @property
    def queued(self) -> int:
        """How many commands wait for a slot or their context."""
        return len(self._slots.waiting)

    def principal_of_process(self, pid: int) -> str | None:
        """Return whose job a process comes from, if not the owner's; see ``Lineage``."""
        return self._engine.lineage.principal_of(pid)

    # Ending --------------------------------------------------------------------------------------

    def cancel(self, job: Job, by: EndedBy | None = None) -> None:
        """End a queued or running command. Raises NotFound if it has ended."""
        if job.state == "queued" and job.key in self._slots.waiting:
            job.refuse(_cancelled("cancelled", by), "cancelled", by)
        elif job.outcome is None:
            job.end("cancelled", by)
        else:
            raise NotFound(f"{job.request.kind} {job.key.id} has ended")

    def kill(self, job: Job, by: EndedBy | None = None) -> None:
        """End a job of any kind and its background processes. Raises NotFound if it has ended."""
        if job.state == "queued" and job.key in self._slots.waiting:
            job.refuse(_cancelled("killed", by), "killed", by)
        elif job.state != "ended":
            job.end("killed", by)
        else:
            raise NotFound(f"{job.request.kind} {job.key.id} has ended")

    def _end_abandoned(self, job: Job) -> None:
        if not self._stopping:
            log.info("job %s of client %s is abandoned", job.key.id, job.key.client_id)
            self.kill(job)

    async def stop(self, grace: float) -> None:
        """End all jobs: queue, sessions and background at once, commands after ``grace`` seconds.

        Every job has its outcome when this returns.
        """
        self._stopping = True
        self._leaving.accept_no_more()
        for key in self._slots.waiting:
            self._jobs[key].refuse(DaemonStopping("the daemon is stopping"), "killed")
        living = [job for job in self._jobs.all() if job.state != "ended"]
        for job in living:
            if job.request.kind == "session" or job.outcome is not None:
                job.end("killed")
        commands = [job for job in living if job.request.kind == "command"]
        await self._grace_period.wait(commands, grace)
        for job in commands:
            job.end("killed")
        for job in living:
            await job.wait_ended()
        await kill.end(self._engine.everything())
        self._engine.reaper.reap_ended()

    def skip_grace(self) -> None:
        """End the grace period of ``stop``."""
        self._grace_period.skip()

    # Retention -----------------------------------------------------------------------------------

    def _replace(self, old: Job) -> None:
        self._ended_jobs.discard(old)
        self._without_output.discard(old)
        if old.state == "ended":
            self._jobs.remove(old)
            old.readers.forget()
        else:
            self._jobs.replace(old)

    def _on_ended(self, job: Job) -> None:
        self._background.pop(job, None)
        if self._jobs.is_replaced(job):
            if job.state == "ended":
                self._jobs.drop_replaced(job)
            job.readers.forget()
        elif job in self._without_output:
            self._without_output.discard(job)
            self._jobs.remove(job)
        elif job not in self._ended_jobs:
            self._ended_jobs.add(job)

    def _forget(self, job: Job) -> None:
        job.readers.forget()
        if job.state == "ended":
            self._jobs.remove(job)
        else:
            # Its processes still run, and the job can still be ended by its id.
            self._without_output.add(job)

    def close(self) -> None:
        """Stop the timers that forget and end jobs, and end the shells in the pool."""
        self._engine.close()
        self._leaving.close()
        self._ended_jobs.close()
        self._disconnect_policy.close()


def _cancelled(how: str, by: EndedBy | None) -> Cancelled:
    """Return the terminal message of a command that never ran; its text is the reason given."""
    message = by.message if by is not None else None
    return Cancelled(message or f"{how} before it ran")
