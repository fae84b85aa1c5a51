"""All jobs: who may run, what is remembered, what becomes of them when nobody is there."""

from __future__ import annotations

import asyncio
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
from shellwire.jobs import holders
from shellwire.jobs.attempt import attempt
from shellwire.jobs.disconnect import DisconnectPolicy
from shellwire.jobs.ended import EndedJobs, Retention
from shellwire.jobs.ids import Remembered
from shellwire.jobs.job import Job
from shellwire.jobs.model import DEFAULT_CONTEXT, JobKey, Request
from shellwire.jobs.slots import Slots
from shellwire.jobs.table import JobTable
from shellwire.process import kill

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shellwire.jobs.contexts import Contexts
    from shellwire.jobs.engine import Engine
    from shellwire.jobs.model import Kind
    from shellwire.shell.context import Context

log = logging.getLogger(__name__)

MAX_BACKGROUND = 32
"""Jobs whose later output is kept; that of the oldest beyond is read and dropped."""

MAX_REMEMBERED = 10_000
"""Pairs of client and id within which nothing runs twice."""


class Registry:
    """The jobs of one owner. Its methods are called from the event loop and never wait."""

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
        # In seconds, 0 for ever.
        self._disconnect_policy = DisconnectPolicy(detach_ttl, self.jobs, self._discard)
        self._engine = engine
        self._slots: Slots[JobKey] = Slots(max_processes, max_queue, max_sessions)
        self._jobs = JobTable()
        self._next: deque[JobKey] = deque()
        # In the background, the oldest first.
        self._lingering: dict[Job, None] = {}
        self._ended_jobs = EndedJobs(retention or Retention(), self._forget)
        # Living still, but their output is not kept any more.
        self._emptied: set[Job] = set()
        self._used = Remembered(MAX_REMEMBERED)
        self._stopping = False
        self._hurried = asyncio.Event()

    # Coming and going ----------------------------------------------------------------------------

    def came(self, client_id: str, *, transient: bool) -> None:
        """A client has connected. A ``transient`` one is a one-shot tool and not remembered."""
        self._disconnect_policy.came(client_id)
        self.contexts.came(client_id, transient=transient)

    def left(self, client_id: str) -> None:
        """A client has disconnected, and not because it had connected anew."""
        self._disconnect_policy.left(client_id)
        self._drop_context(client_id)

    def _drop_context(self, client_id: str) -> None:
        """Drop a transient client's own context once its connection and its jobs are over."""
        if not self.contexts.is_passing(client_id) or self._disconnect_policy.is_present(client_id):
            return
        jobs = self._jobs.current()
        if not any(job.key.client_id == client_id and job.outcome is None for job in jobs):
            self.contexts.drop(client_id)

    # Starting ------------------------------------------------------------------------------------

    def submit(self, key: JobKey, request: Request, *, once: bool) -> tuple[Job, int]:
        """Start a job, or queue a command. Returns it and its place in the queue, 0 if it runs.

        ``once`` refuses an id whose job has ended as well. Raises DuplicateId, QueueFull,
        TooManyProcesses (which names the holders), DaemonStopping, InvalidMessage: the id is then
        free as it was before.
        """
        if self._stopping:
            raise DaemonStopping("the daemon is stopping")
        old = self._jobs.get(key)
        if (old is not None and old.outcome is None) or (once and key in self._used):
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
        self._use(job)
        return job, place

    def mark_lost(self, key: JobKey, kind: Kind, started_at: float) -> None:
        """Remember a job that an earlier daemon was running when it was killed."""
        self._use(self._make(key, Request(kind, b""), self.contexts.fresh()))
        self._jobs[key].mark_lost(started_at)

    def _make(self, key: JobKey, request: Request, context: Context) -> Job:
        return Job(
            key,
            request,
            context,
            self._engine,
            released=self._released,
            left=self._on_left,
            ended=self._on_ended,
        )

    def _use(self, job: Job) -> None:
        self._jobs.add(job)
        self._used.add(job.key)

    def _admit(self, key: JobKey, request: Request) -> int:
        try:
            if request.kind == "session":
                self._slots.take(key)
                return 0
            lane = None if request.context == DEFAULT_CONTEXT else request.context
            return self._slots.admit(key, lane)
        except TooManyProcesses as error:
            apart = self._slots.apart
            flag = "--max-sessions" if apart else "--max-processes"
            raise TooManyProcesses(
                f"{error} ({flag} allows more), by {self._holders(apart or self._slots.running)}"
            ) from None
        except QueueFull as error:
            raise QueueFull(
                f"{error} (--max-queue allows more); running: {self._holders(self._slots.running)}"
            ) from None

    def _holders(self, keys: list[JobKey]) -> str:
        return holders.describe([self._jobs[key] for key in keys])

    def _released(self, job: Job) -> None:
        self._drop_context(job.key.client_id)
        starting = bool(self._next)
        self._next.extend(self._slots.leave(job.key))
        if starting:
            return
        # One that can't be started releases its slot at once, within this loop and not on top.
        while self._next:
            attempt("a job that waited can't be started", self._jobs[self._next[0]].start)
            self._next.popleft()

    def _on_left(self, job: Job) -> None:
        self._lingering[job] = None
        if len(self._lingering) > MAX_BACKGROUND:
            next(iter(self._lingering)).silence()

    # Finding -------------------------------------------------------------------------------------

    def find(self, client_id: str, job_id: str) -> Job:
        """Return a job by id or name, as ``JobTable.find`` does, and mark it as used.

        Raises NotFound.
        """
        job = self._jobs.find(client_id, job_id)
        job.readers.touch()
        return job

    def has_id(self, job_id: str) -> bool:
        """Whether a job has this id; ``find`` otherwise looks for a name."""
        return self._jobs.has_id(job_id)

    def jobs(self) -> list[Job]:
        """Return every job that is alive or remembered, the oldest first."""
        return self._jobs.all()

    def running(self, kind: str) -> int:
        """Return how many jobs of a kind hold a slot."""
        holders = (*self._slots.running, *self._slots.apart)
        return sum(self._jobs[key].request.kind == kind for key in holders)

    # Ending --------------------------------------------------------------------------------------

    def cancel(self, job: Job) -> None:
        """End a command, queued or running. Raises NotFound when there is nothing to end."""
        if job.state == "queued" and job.key in self._slots.waiting:
            job.refuse(Cancelled("cancelled before it ran"), "cancelled")
        elif job.outcome is None:
            job.end("cancelled")
        else:
            raise NotFound(f"{job.request.kind} {job.key.id} has ended")

    def kill(self, job: Job) -> None:
        """End a job of any kind, and what it left in the background. Raises NotFound."""
        if job.state == "queued" and job.key in self._slots.waiting:
            job.refuse(Cancelled("killed before it ran"), "killed")
        elif job.state != "ended":
            job.end("killed")
        else:
            raise NotFound(f"{job.request.kind} {job.key.id} has ended")

    def _discard(self, job: Job) -> None:
        if not self._stopping:
            log.info("job %s of client %s is abandoned", job.key.id, job.key.client_id)
            self.kill(job)

    async def stop(self, grace: float) -> None:
        """End everything: the queue, sessions, commands after ``grace`` seconds, the rest.

        Every job has its outcome when this returns.
        """
        self._stopping = True
        for key in self._slots.waiting:
            self._jobs[key].refuse(DaemonStopping("the daemon is stopping"), "killed")
        living = [job for job in self._jobs.all() if job.state != "ended"]
        for job in living:
            if job.request.kind == "session" or job.outcome is not None:
                job.end("killed")
        commands = [job for job in living if job.request.kind == "command"]
        await self._answered(commands, grace)
        for job in commands:
            job.end("killed")
        for job in living:
            await job.wait_ended()
        await kill.end(self._engine.everything())
        self._engine.reaper.reap_ended()

    def skip_grace(self) -> None:
        """Let a stop that is under way wait no longer."""
        self._hurried.set()

    async def _answered(self, jobs: Iterable[Job], seconds: float) -> None:
        waiting = [job for job in jobs if job.outcome is None]

        def look() -> None:
            if all(job.outcome is not None for job in waiting):
                self._hurried.set()

        viewers = [(job, job.readers.view(look, silent=True)) for job in waiting]
        look()
        try:
            await asyncio.wait_for(self._hurried.wait(), seconds)
        except TimeoutError:
            pass
        finally:
            for job, viewer in viewers:
                job.readers.leave(viewer)

    # Keeping -------------------------------------------------------------------------------------

    def _replace(self, old: Job) -> None:
        self._ended_jobs.discard(old)
        self._emptied.discard(old)
        if old.state == "ended":
            self._jobs.remove(old)
            old.readers.forget()
        else:
            self._jobs.replace(old)

    def _on_ended(self, job: Job) -> None:
        self._lingering.pop(job, None)
        if self._jobs.is_replaced(job):
            if job.state == "ended":
                self._jobs.drop_replaced(job)
            job.readers.forget()
        elif job in self._emptied:
            self._emptied.discard(job)
            self._jobs.remove(job)
        elif job not in self._ended_jobs:
            self._ended_jobs.add(job)

    def _forget(self, job: Job) -> None:
        job.readers.forget()
        if job.state == "ended":
            self._jobs.remove(job)
        else:
            # What it left lives on and can be ended, however long that takes.
            self._emptied.add(job)

    def close(self) -> None:
        """Stop the clocks that forget and end jobs, and end the shells that wait."""
        self._engine.close()
        self._ended_jobs.close()
        self._disconnect_policy.close()
