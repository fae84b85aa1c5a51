"""All jobs, found by client and id, by id alone, or by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.errors import NotFound
from shellwire.jobs.model import JobKey

if TYPE_CHECKING:
    from shellwire.jobs.job import Job
    from shellwire.jobs.model import ClientKey


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

    def find(self, client: ClientKey, job_id: str, *, everywhere: bool) -> Job:
        """Return the client's own job of that id, else the principal's only one, else by name.

        With ``everywhere`` the jobs of other principals are searched last. Of several jobs of one
        name, the living one is returned, else the latest. Raises NotFound; without ``everywhere``
        the same for another principal's job as for none.
        """
        own = self._jobs.get(JobKey(client, job_id))
        if own is not None:
            return own
        found = self._of_principal(client.principal, job_id)
        if found is None and everywhere:
            found = self._of_principal(None, job_id)
        if found is None:
            raise NotFound(f"no job has the id {job_id}")
        return found

    def _of_principal(self, principal: str | None, job_id: str) -> Job | None:
        """Return the only job of that id, else by name, of one principal or of all (None)."""
        others = [
            job
            for key, job in self._jobs.items()
            if key.id == job_id and principal in (None, key.principal)
        ]
        if len(others) > 1:
            raise NotFound(
                f"{len(others)} jobs of other clients have the id {job_id}: a job's name tells them"
                " apart, and `jobs --json` shows the client of each"
            )
        if not others:
            named = self.named(job_id, principal)
            others = [job for job in named if job.outcome is None] or named[-1:]
        return others[0] if others else None

    def has_id(self, job_id: str, principal: str | None) -> bool:
        """Whether a job of ``principal``, or of any (None), has this id.

        ``find`` otherwise looks for a name.
        """
        return any(key.id == job_id and principal in (None, key.principal) for key in self._jobs)

    def named(self, name: str, principal: str | None) -> list[Job]:
        """Return the jobs of that name, of one principal or of all (None), the oldest first."""
        return [
            job
            for key, job in self._jobs.items()
            if job.request.name == name and principal in (None, key.principal)
        ]

    def name_is_taken(self, name: str, principal: str) -> bool:
        """Whether a job of ``principal`` that has no outcome yet has this name."""
        return any(job.outcome is None for job in self.named(name, principal))
