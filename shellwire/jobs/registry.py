"""All jobs of one owner: which may run, how they end, and how long they are retained."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from shellwire.errors import (
    Cancelled,
    DaemonStopping,
    DuplicateId,
    InvalidMessage,
    NotFound,
    QueueFull,
    TooManyProcesses,
)
from shellwire.jobs.best_effort import best_effort
from shellwire.jobs.disconnect import DisconnectPolicy
from shellwire.jobs.ended import EndedJobs, Retention
from shellwire.jobs.grace_period import GracePeriod
from shellwire.jobs.job import Job
from shellwire.jobs.leaving import LeavingLeaders
from shellwire.jobs.model import DEFAULT_CONTEXT, JobKey, Request
from shellwire.jobs.recent_keys import RecentKeys
from shellwire.jobs.slot_holders import describe_holders
from shellwire.jobs.slots import Slots
from shellwire.jobs.table import JobTable
from shellwire.process import kill

if TYPE_CHECKING:
    from shellwire.jobs.contexts import Contexts
    from shellwire.jobs.engine import Engine
    from shellwire.jobs.model import Kind
    from shellwire.shell.context import Context

log = logging.getLogger(__name__)

MAX_BACKGROUND = 32
"""The most jobs whose background output is kept; beyond it, the oldest job's is discarded."""

MAX_RECENT_KEYS = 10_000
"""How many job keys (client and id) are remembered, so that no request runs twice."""


class Registry:
    """The jobs of one owner. Call its methods from the event loop; all but ``stop`` are quick."""

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
        self._recent_keys = RecentKeys(MAX_RECENT_KEYS)
        self._stopping = False
        self._grace_period = GracePeriod()

    # Clients -------------------------------------------------------------------------------------

    def client_connected(self, client_id: str, *, transient: bool) -> None:
        """Record that a client has connected. A ``transient`` one is a one-shot tool."""
        self._disconnect_policy.client_connected(client_id)
        self.contexts.client_connected(client_id, transient=transient)

    def client_disconnected(self, client_id: str) -> None:
        """Record that a client has disconnected. Not called if it has reconnected already."""
        self._disconnect_policy.client_disconnected(client_id)
        self._drop_context(client_id)

    def _drop_context(self, client_id: str) -> None:
        """Drop a transient client's ``default`` context if client and running jobs are gone."""
        if not self.contexts.is_transient(client_id):
            return
        jobs = (job for job in self._jobs.current() if job.key.client_id == client_id)
        is_connected = self._disconnect_policy.is_connected(client_id)
        if not is_connected and all(job.outcome is not None for job in jobs):
            self.contexts.drop(client_id)

    # Starting ------------------------------------------------------------------------------------

    def submit(self, key: JobKey, request: Request, *, once: bool) -> tuple[Job, int]:
        """Admit a job, or queue a command. Returns the job and its place in the queue.

        At place 0 the job is not queued, and the caller starts it. ``once`` also refuses the id of
        a job that has ended. Raises DuplicateId, QueueFull, TooManyProcesses, DaemonStopping or
        InvalidMessage; the id can then be used again.
        """
        if self._stopping:
            raise DaemonStopping("the daemon is stopping")
        old = self._jobs.get(key)
        if (old is not None and old.outcome is None) or (once and key in self._recent_keys):
            raise DuplicateId(f"id {key.id} is in use")
        if request.name is not None and self._jobs.named(request.name, living=True):
            raise DuplicateId(f"name {request.name} is in use")
        place = self._admit(key, request)
        try:
            context = self.contexts.get(key.client_id, request.context)
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
        self._recent_keys.add(job.key)

    def _admit(self, key: JobKey, request: Request) -> int:
        try:
            if request.kind == "session":
                self._slots.admit_session(key)
                return 0
            context = None if request.context == DEFAULT_CONTEXT else request.context
            return self._slots.admit_command(key, context)
        except TooManyProcesses as error:
            sessions = self._slots.sessions
            flag = "--max-sessions" if sessions else "--max-processes"
            holders = self._holders(sessions or self._slots.running)
            raise TooManyProcesses(f"{error} ({flag} allows more), by {holders}") from None
        except QueueFull as error:
            raise QueueFull(
                f"{error} (--max-queue allows more); running: {self._holders(self._slots.running)}"
            ) from None

    def _holders(self, keys: list[JobKey]) -> str:
        return describe_holders([self._jobs[key] for key in keys])

    def _on_released(self, job: Job) -> None:
        self._drop_context(job.key.client_id)
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
        if len(self._background) > MAX_BACKGROUND:
            next(iter(self._background)).discard_output()

    # Finding -------------------------------------------------------------------------------------

    def find(self, client_id: str, job_id: str) -> Job:
        """Return a job by id or name (see ``JobTable.find``), marked as used. Raises NotFound."""
        job = self._jobs.find(client_id, job_id)
        job.readers.touch()
        return job

    def has_id(self, job_id: str) -> bool:
        """Whether a job has this id; ``find`` otherwise looks for a name."""
        return self._jobs.has_id(job_id)

    def jobs(self) -> list[Job]:
        """Return every job that is alive or retained, the oldest first."""
        return self._jobs.all()

    def running(self, kind: str) -> int:
        """Return how many jobs of a kind hold a slot."""
        holders = (*self._slots.running, *self._slots.sessions)
        return sum(self._jobs[key].request.kind == kind for key in holders)

    # Ending --------------------------------------------------------------------------------------

    def cancel(self, job: Job) -> None:
        """End a queued or running command. Raises NotFound if it has ended."""
        if job.state == "queued" and job.key in self._slots.waiting:
            job.refuse(Cancelled("cancelled before it ran"), "cancelled")
        elif job.outcome is None:
            job.end("cancelled")
        else:
            raise NotFound(f"{job.request.kind} {job.key.id} has ended")

    def kill(self, job: Job) -> None:
        """End a job of any kind and its background processes. Raises NotFound if it has ended."""
        if job.state == "queued" and job.key in self._slots.waiting:
            job.refuse(Cancelled("killed before it ran"), "killed")
        elif job.state != "ended":
            job.end("killed")
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
