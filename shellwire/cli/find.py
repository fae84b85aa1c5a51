"""The job that a user means: by its id, its name, or the beginning of its id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shellwire.errors import NotFound

if TYPE_CHECKING:
    from shellwire.client import Client

LEAST_PREFIX = 3
"""Characters of an id that may stand for it, if no other id begins with them."""

Entry = dict[str, Any]
"""A job as ``jobs_list`` has it."""


async def find(client: Client, given: str) -> Entry | None:
    """Return the job of that id, else of that name, else the only one whose id begins with it.

    None if the daemon did not know it when we connected: its own answer then says so. Raises
    NotFound if several ids begin with it.
    """
    jobs = await _jobs(client)
    named = [job for job in jobs if job.get("name") == given]
    living = [job for job in named if _lives(job)]
    for found in ([job for job in jobs if job["id"] == given], living, named):
        if found:
            return found[-1]
    if len(given) < LEAST_PREFIX:
        return None
    begun = {job["id"]: job for job in jobs if job["id"].startswith(given)}
    if len(begun) > 1:
        raise NotFound(f"several jobs have ids that begin with {given}: {', '.join(begun)}")
    return next(iter(begun.values()), None)


async def id_of(client: Client, given: str) -> str:
    """Return the id of the job that is meant; what was given, if there is none."""
    job = await find(client, given)
    return given if job is None else str(job["id"])


async def terminal_used_last(client: Client) -> str:
    """Return the id of the living terminal that was used last. Raises NotFound if none lives."""
    terminals = [job for job in await _jobs(client) if job["is_pty"] and _lives(job)]
    if not terminals:
        raise NotFound("no terminal is open there")
    # An earlier daemon doesn't tell when they were used.
    last = max(terminals, key=lambda job: job.get("last_used_at") or job["started_at"] or 0.0)
    return str(last["id"])


async def _jobs(client: Client) -> list[Entry]:
    return list((await client.status())["jobs"])


def _lives(job: Entry) -> bool:
    return job["state"] in ("queued", "running")
