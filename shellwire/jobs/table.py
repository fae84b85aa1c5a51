"""The jobs of one owner, found by client and id, by id alone, or by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.errors import NotFound
from shellwire.jobs.model import JobKey

if TYPE_CHECKING:
    from shellwire.jobs.job import Job


class JobTable:
    """All remembered jobs, the oldest first.

    A replaced job's id belongs to a newer job; it stays listed while its processes run.
    """

    def __init__(self) -> None:
        self._jobs: dict[JobKey, Job] = {}
        self._replaced: set[Job] = set()

    def __getitem__(self, key: JobKey) -> Job:
        return self._jobs[key]

    def get(self, key: JobKey) -> Job | None:
        """Return the job of that client and id."""
        return self._jobs.get(key)

    def add(self, job: Job) -> None:
        """Add a job under its key."""
        self._jobs[job.key] = job

    def remove(self, job: Job) -> None:
        """Remove a job from its key."""
        del self._jobs[job.key]

    def replace(self, job: Job) -> None:
        """Free a job's key; the job stays listed until ``drop_replaced``."""
        self.remove(job)
        self._replaced.add(job)

    def is_replaced(self, job: Job) -> bool:
        """Whether another job may have this job's key."""
        return job in self._replaced

    def drop_replaced(self, job: Job) -> None:
        """Forget a replaced job."""
        self._replaced.discard(job)

    def all(self) -> list[Job]:
        """Return every job that is alive or remembered."""
        return [*self._replaced, *self._jobs.values()]

    def current(self) -> list[Job]:
        """Return the jobs that have their key."""
        return list(self._jobs.values())

    def find(self, client_id: str, job_id: str) -> Job:
        """Return the client's own job of that id, else the owner's only one, else by name.

        Of several jobs of one name, the living one is returned, else the latest. Raises NotFound.
        """
        return self._jobs.get(JobKey(client_id, job_id)) or self._find_other(job_id)

    def _find_other(self, job_id: str) -> Job:
        others = [job for key, job in self._jobs.items() if key.id == job_id]
        if len(others) > 1:
            raise NotFound(f"{len(others)} jobs of other clients have the id {job_id}")
        if not others:
            others = self.named(job_id, living=True) or self.named(job_id, living=False)[-1:]
        if not others:
            raise NotFound(f"no job has the id {job_id}")
        return others[0]

    def has_id(self, job_id: str) -> bool:
        """Whether a job has this id; ``find`` otherwise looks for a name."""
        return any(key.id == job_id for key in self._jobs)

    def named(self, name: str, *, living: bool) -> list[Job]:
        """Return the jobs of that name, the oldest first; ``living`` ones have no outcome yet."""
        jobs = [job for job in self._jobs.values() if job.request.name == name]
        return [job for job in jobs if job.outcome is None] if living else jobs
