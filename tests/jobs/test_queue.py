"""Four slots, a queue of sixteen, first come first served; sessions never wait."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from tests.jobs.observe import FOREVER, below
from tests.server.observe import memory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.live import Client, Daemon


@pytest.fixture
def alone(own_daemon: Callable[..., Daemon]) -> Daemon:
    """A daemon with the default limits."""
    return own_daemon("--max-clients", "4", "--spares", "0")


@pytest.fixture
async def first(alone: Daemon) -> AsyncIterator[Client]:
    client = await alone.client("first")
    yield client
    await client.close()


async def _hold(client: Client, count: int, **fields: str) -> list[str]:
    jobs = []
    for _ in range(count):
        jobs.append(await client.start(f"echo up; {FOREVER}", **fields))
        await client.output_until(jobs[-1], "up")
    return jobs


async def _end(client: Client, *jobs: str) -> None:
    for job in jobs:
        await client.send({"type": "kill_session", "id": job})
        await client.until("result", "session_ended", id=job)


async def test_both_kinds_share_four_slots(first: Client, alone: Daemon) -> None:
    session = await first.session(command="cat")
    jobs = await _hold(first, 3)
    second = await alone.client("second")
    refused = await second.ask({"type": "start_session", "id": "s", "command": "cat"})
    assert (refused["type"], refused["code"]) == ("error", "TOO_MANY_PROCESSES")
    assert refused["message"].startswith(
        "all 4 process slots are taken (--max-processes allows more), by "
    )
    assert all(holder in refused["message"] for holder in [session, *jobs])
    # The refused id is still free, and a session gets the freed slot at once.
    await _end(first, session)
    await second.session(id="s", command="cat")
    queued = await second.start("echo ran")
    assert (await second.until("command_queued", id=queued))[-1]["position"] == 1
    await _end(second, "s")
    assert (await second.finish(queued)).out == "ran\n"
    await _end(first, *jobs)
    await second.close()


async def test_sixteen_wait_in_order(first: Client, alone: Daemon) -> None:
    holders = await _hold(first, 4)
    waiting = [await first.start(f"echo {number}", id=f"w{number}") for number in range(16)]
    for position, job in enumerate(waiting, 1):
        (queued,) = await first.until("command_queued", id=job)
        assert queued["position"] == position
    refused = (await first.run("echo one too many", id="refused")).last
    assert (refused["code"], refused["operation"]) == ("QUEUE_FULL", "execute")
    assert refused["message"].startswith(
        "16 commands wait already (--max-queue allows more); running: "
    )
    assert all(holder in refused["message"] for holder in holders)
    second = await alone.client("second")
    assert (await second.run("echo whoever asks")).last["code"] == "QUEUE_FULL"
    # Two leave the queue: by cancel and by kill, from the middle and from its head.
    for kind, job in (("cancel_command", "w7"), ("kill_session", "w0")):
        assert (await first.ask({"type": kind, "id": job}))["type"] == "ack"
        (error,) = await first.until("error", id=job)
        assert (error["code"], error["operation"]) == ("CANCELLED", "execute")
    listed = (await first.ask({"type": "list_jobs"}))["jobs"]
    reasons = {job["id"]: (job["reason"], job["started_at"]) for job in listed}
    assert (reasons["w7"], reasons["w0"]) == (("cancelled", None), ("killed", None))
    (queued,) = await _queue_one(second)
    assert queued["position"] == 15
    # With one free slot, commands run in the order of the queue.
    await _end(first, holders[0])
    order = [job for job in waiting if job not in ("w0", "w7")]
    finished = [(await first.until("result"))[-1]["id"] for _ in order]
    assert finished == order
    assert (await second.finish("second-in-queue")).out == "second\n"
    assert (await first.run("echo again", id="refused")).out == "again\n"
    for job in waiting:
        messages = [each for each in first.aside if each.get("id") == job]
        assert not messages
    await _end(first, *holders[1:])
    await second.close()


async def _queue_one(client: Client) -> list[dict[str, object]]:
    await client.start("echo second", id="second-in-queue")
    return await client.until("command_queued", id="second-in-queue")


async def test_only_queued_commands_are_reported_as_queued(first: Client) -> None:
    for _ in range(8):
        assert (await first.run(":")).of_type("command_queued") == []
    jobs = [await first.start("sleep 0.05") for _ in range(4)]
    for job in jobs:
        assert (await first.finish(job)).of_type("command_queued") == []


async def test_a_named_context_runs_one_at_a_time(first: Client, alone: Daemon) -> None:
    (holder,) = await _hold(first, 1, context="lane")
    waiting = [await first.start(f"echo {n}", context="lane", id=f"l{n}") for n in range(16)]
    for position, job in enumerate(waiting, 1):
        assert (await first.until("command_queued", id=job))[-1]["position"] == position
    # Waiting commands take no slots, but places in the queue.
    assert (await first.run("echo free")).out == "free\n"
    assert (await first.run(":", context="lane")).last["code"] == "QUEUE_FULL"
    sessions = [await first.session(command="cat") for _ in range(3)]
    assert (await first.run("echo no place left")).last["code"] == "QUEUE_FULL"
    await _end(first, *sessions, holder)
    assert [(await first.until("result"))[-1]["id"] for _ in waiting] == waiting


async def test_a_busy_context_does_not_delay_others(first: Client) -> None:
    holders = [*await _hold(first, 1, context="a"), *await _hold(first, 3)]
    await first.start("echo a2", context="a", id="a2")
    await first.start("echo b1", context="b", id="b1")
    await first.start("echo d1", id="d1")
    for position, job in enumerate(["a2", "b1", "d1"], 1):
        assert (await first.until("command_queued", id=job))[-1]["position"] == position
    await _end(first, holders[3])
    assert (await first.until("result"))[-1]["id"] == "b1"
    assert (await first.until("result"))[-1]["id"] == "d1"
    await _end(first, holders[0])
    assert (await first.until("result"))[-1]["id"] == "a2"
    await _end(first, *holders[1:3])


async def test_the_timeout_counts_from_the_start(first: Client) -> None:
    holders = await _hold(first, 4)
    job = await first.start("sleep 0.1; echo done", timeout=0.4)
    await first.until("command_queued", id=job)
    slow = await first.start("sleep 0.5", context="elsewhere", timeout=60)
    await first.until("command_queued", id=slow)
    await _end(first, holders[1])
    # Waiting does not count: together both take longer than the first one's timeout.
    ran = await first.finish(job)
    assert (ran.out, ran.last["reason"]) == ("done\n", "exited")
    await first.finish(slow)
    await _end(first, holders[0], *holders[2:])


async def test_background_processes_hold_no_slot(first: Client) -> None:
    for _ in range(6):
        assert (await first.run(f"{FOREVER} & :")).code == 0
    jobs = await _hold(first, 4)
    await _end(first, *jobs)


async def test_a_failed_start_frees_its_slot(first: Client, alone: Daemon) -> None:
    before = alone.descriptors()
    holders = await _hold(first, 4)
    waiting = [await first.start(":", cwd=f"/nowhere/{number}") for number in range(10)]
    last = await first.start("echo last")
    await _end(first, holders[0])
    for job in waiting:
        result = (await first.finish(job)).last
        assert (result["reason"], result["exit_code"]) == ("spawn_failed", -1)
        assert "no such directory" in result["error"]
    assert (await first.finish(last)).out == "last\n"
    await _end(first, *holders[1:])
    assert (alone.descriptors(), below(alone)) == (before, [])


async def test_other_limits(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-processes", "1", "--max-queue", "1")
    client = await daemon.client()
    (holder,) = await _hold(client, 1)
    waiting = await client.start("echo waited")
    assert (await client.run(":")).last["code"] == "QUEUE_FULL"
    await _end(client, holder)
    assert (await client.finish(waiting)).out == "waited\n"
    await client.close()


async def test_a_queue_of_commands_that_cannot_start(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-processes", "1", "--max-queue", "1000")
    client = await daemon.client()
    first = await client.start("read -r _", open_stdin=True)
    queued = [await client.start(":", cwd="/nonexistent") for _ in range(600)]
    await client.send({"type": "send_input", "id": first, "data": "\n"})
    for job in queued:
        assert (await client.finish(job)).last["reason"] == "spawn_failed"
    assert (await client.run("echo on")).out == "on\n"
    await client.close()


async def test_the_holders_in_the_message(own_daemon: Callable[..., Daemon]) -> None:
    client = await own_daemon("--max-processes", "12", "--max-queue", "0").client()
    odd = f"# \x1b]0;title\x07 \u202e {'long ' * 20}\n{FOREVER}"
    await client.session(id="odd \x1b[2J", command=odd)
    jobs = [await client.start(FOREVER, id=f"job{number}", timeout=0) for number in range(11)]
    refusals = [
        await client.ask({"type": "start_session", "id": "session"}),
        (await client.run("echo never", id="command")).last,
    ]
    assert [each["code"] for each in refusals] == ["TOO_MANY_PROCESSES", "QUEUE_FULL"]
    for message in (each["message"] for each in refusals):
        assert message.isprintable()
        holder = re.search(r"odd \\x1b\[2J \(`(.*?)`, since (\S+ \S+) UTC\); job0 \(`", message)
        assert holder, message
        assert len(holder[1]) == 60
        assert holder[1].startswith("# \\x1b]0;title\\x07 \\u202e long")
        since = datetime.strptime(f"{holder[2]} +0000", "%Y-%m-%d %H:%M:%S %z")
        assert abs(time.time() - since.timestamp()) < 600
        # The message names at most ten.
        assert "job8 " in message
        assert message.endswith("; and 2 more")
    await _end(client, "odd \x1b[2J", *jobs)
    await client.close()


async def test_a_queued_request_takes_its_size_in_memory(alone: Daemon, first: Client) -> None:
    # One such character makes a str take four bytes for each character (PEP 393).
    await _hold(first, 4)
    before = memory(alone)
    size = 2 * 1024 * 1024
    for number in range(12):
        where = ("command", "stdin_data", "env")[number % 3]
        long = "x" * size + "😀"
        fields: dict[str, object] = {"command": ": "}
        fields[where] = {"A": long} if where == "env" else f": {long}"
        await first.send({"type": "execute", "id": f"long-{number}", **fields})
        await first.until("command_queued", id=f"long-{number}")
    # The limit includes the decoding of one request. As str they would take 48 * size.
    assert memory(alone) - before < 32 * size
