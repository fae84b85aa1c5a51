"""``exec -d``: start a command and detach from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shellwire.client import Client, Result
    from shellwire.client.options import CommandOptions


async def start_detached(
    client: Client, command: str, options: CommandOptions
) -> tuple[Result | None, str]:
    """Start a command without a time limit and detach; return its id.

    If it could not be started, its result is returned too. Raises the error of a refusal.
    """
    options["detach_ttl"] = 0
    async with client.stream(command, **options) as job:
        # The daemon answers in order: with this answer it has started, queued or refused the job.
        jobs = (await client.request("list_jobs"))["jobs"]
        failed = any(each["id"] == job.id and each["reason"] == "spawn_failed" for each in jobs)
        if failed or job.is_over:
            result = await job.wait()
            return (result if failed else None), job.id
        await job.detach()
    return None, job.id
