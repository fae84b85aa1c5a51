"""Find a job by its id, its name, or a prefix of its id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shellwire.errors import NotFound

if TYPE_CHECKING:
    from shellwire.client import Client

MIN_PREFIX = 3
"""Minimum length of an id prefix."""

Entry = dict[str, Any]
"""A job as in the message ``jobs_list``."""


async def find_job(client: Client, given: str) -> Entry | None:
    """Return the job with that id, else with that name, else with that unique id prefix.

    None if the daemon had no such job when this client connected; the caller then lets the daemon
    look ``given`` up. Raises NotFound if several ids have that prefix.
    """
    jobs = await _jobs(client)
    named = [job for job in jobs if job.get("name") == given]
    living = [job for job in named if _is_alive(job)]
    for found in ([job for job in jobs if job["id"] == given], living, named):
        if found:
            return found[-1]
    if len(given) < MIN_PREFIX:
        return None
    matches = {job["id"]: job for job in jobs if job["id"].startswith(given)}
    if len(matches) > 1:
        raise NotFound(f"several jobs have ids that begin with {given}: {', '.join(matches)}")
    return next(iter(matches.values()), None)


async def resolve_job_id(client: Client, given: str) -> str:
    """Return the id of the matching job; ``given`` itself if none matches."""
    job = await find_job(client, given)
    return given if job is None else str(job["id"])


async def last_used_terminal(client: Client) -> str:
    """Return the id of the running terminal job used last. Raises NotFound if there is none."""
    terminals = [job for job in await _jobs(client) if job["is_pty"] and _is_alive(job)]
    if not terminals:
        raise NotFound("the daemon has no open terminal")
    # Older daemons do not send last_used_at.
    last = max(terminals, key=lambda job: job.get("last_used_at") or job["started_at"] or 0.0)
    return str(last["id"])


async def _jobs(client: Client) -> list[Entry]:
    return list((await client.status())["jobs"])


def _is_alive(job: Entry) -> bool:
    return job["state"] in ("queued", "running")
