"""``exec -d``: a command that is started and left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shellwire.client import Client, Result
    from shellwire.client.options import CommandOptions


async def start(client: Client, command: str, options: CommandOptions) -> tuple[Result | None, str]:
    """Start a command that goes on without anybody, however long; return its id.

    And its result, if it could not be started. Raises why it was refused.
    """
    options["detach_ttl"] = 0
    async with client.stream(command, **options) as job:
        # Messages are answered in order: now the daemon has started it, queued it, or refused it.
        jobs = (await client.request("list_jobs"))["jobs"]
        failed = any(each["id"] == job.id and each["reason"] == "spawn_failed" for each in jobs)
        if failed or job.is_over:
            result = await job.wait()
            return (result if failed else None), job.id
        await job.detach()
    return None, job.id
