"""How long ended jobs are retained, how many, and how much of their output."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.jobs.observe import FOREVER, becomes, is_alive
from tests.live import PATIENCE
from tests.server.observe import job_info

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Daemon


async def test_retain_seconds(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--retain", "0.2")
    client = await daemon.client()
    assert client.status["limits"]["retain_seconds"] == 0.2
    await client.run("echo", id="short-lived")
    async with asyncio.timeout(PATIENCE):
        while (await client.ask({"type": "list_jobs"}))["jobs"]:
            pass
    assert (await client.ask({"type": "attach", "id": "short-lived"}))["code"] == "NOT_FOUND"
    await client.close()


async def test_retain_0(own_daemon: Callable[..., Daemon]) -> None:
    client = await own_daemon("--retain", "0").client()
    for number in range(5):
        assert (await client.run(f"seq 1 2000; exit {number}")).code == number
    assert (await client.ask({"type": "list_jobs"}))["jobs"] == []
    await client.close()


async def test_retention_limits_of_number_and_bytes(own_daemon: Callable[..., Daemon]) -> None:
    client = await own_daemon().client()
    for number in range(70):
        await client.run(":", id=f"{number}")
    jobs = (await client.ask({"type": "list_jobs"}))["jobs"]
    assert [job["id"] for job in jobs] == [f"{number}" for number in range(6, 70)]
    for number in range(5):
        await client.run("head -c 4194304 /dev/zero", id=f"large {number}", encoding="base64")
    jobs = (await client.ask({"type": "list_jobs"}))["jobs"]
    while any(job["pids"] for job in jobs):  # retained once its shell is reaped
        jobs = (await client.ask({"type": "list_jobs"}))["jobs"]
    kept = [job for job in jobs if job["end"]]
    assert sum(job["end"] - job["start"] for job in kept) <= 16 * 1024 * 1024
    assert [job["id"] for job in kept] == [f"large {number}" for number in range(1, 5)]
    # Collected output counts, too.
    for number in range(5):
        await client.run("seq 150000", id=f"c{number}", collect=True, max_chars=1_000_000)
    jobs = [job["id"] for job in (await client.ask({"type": "list_jobs"}))["jobs"]]
    assert jobs == ["large 3", "large 4", *(f"c{number}" for number in range(5))][-len(jobs) :]
    assert len(jobs) <= 7
    await client.close()


async def test_jobs_with_live_processes_are_retained(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--retain", "0.1")
    client = await daemon.client()
    jobs = [(await client.run(f"{FOREVER} & :")).last["id"] for _ in range(34)]
    await client.run(":", id="ended")
    async with asyncio.timeout(PATIENCE):
        while "ended" in [job["id"] for job in (await client.ask({"type": "list_jobs"}))["jobs"]]:
            pass
    # The first two are only drained, but are listed and can be ended.
    for job in jobs:
        info = await job_info(client, job)
        assert (info["state"], len(info["pids"])) == ("background", 1)
        assert (await client.ask({"type": "kill_session", "id": job}))["type"] == "ack"
        await becomes(lambda pid=info["pids"][0]: not is_alive(pid))  # type: ignore[misc]
    async with asyncio.timeout(PATIENCE):
        while (await client.ask({"type": "list_jobs"}))["jobs"]:
            pass
    await client.close()
