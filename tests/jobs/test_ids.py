"""Which ids are refused, and how long an ended job is retained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.jobs.observe import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Client, Daemon


async def _listed(client: Client) -> list[str]:
    """Return the ids of the client's own jobs; other tests may have used the same ids."""
    jobs = (await client.ask({"type": "list_jobs"}))["jobs"]
    return [each["id"] for each in jobs if each["client_id"] == client.id]


async def test_a_living_id_is_taken(daemon: Daemon, client: Client) -> None:
    job = await client.start(f"echo up; {FOREVER}", id="taken")
    await client.output_until(job, "up")
    for kind, field in (("execute", "command"), ("start_session", "command")):
        refused = await client.ask({"type": kind, "id": "taken", field: "echo twice"})
        assert (refused["code"], refused["operation"]) == ("DUPLICATE_ID", kind)
        # The error does not disclose the existing job's command.
        assert "sleep" not in refused["message"]
    other = await daemon.client()
    assert (await other.run("echo mine", id="taken")).out == "mine\n"
    await client.ask({"type": "kill_session", "id": "taken"})
    assert (await client.finish(job)).last["reason"] == "killed"
    assert (await client.run(":", id="taken")).last["code"] == "DUPLICATE_ID"
    await other.close()


async def test_without_protocol_an_ended_one_is_replaced(daemon: Daemon) -> None:
    client = await daemon.client(protocol=None)
    assert (await client.run("echo 1", id="1")).out == "1\n"
    assert (await client.run("echo 2", id="1")).out == "2\n"
    assert (await _listed(client)).count("1") == 1
    left = await client.run(f"{FOREVER} & echo 3", id="1")
    assert left.out == "3\n"
    # Its background process still runs, and is listed under the same id.
    assert (await client.run("echo 4", id="1")).out == "4\n"
    jobs = (await client.ask({"type": "list_jobs"}))["jobs"]
    assert sorted(each["state"] for each in jobs if each["client_id"] == client.id) == [
        "background",
        "ended",
    ]
    alive = await client.start(f"echo up; {FOREVER}", id="2")
    await client.output_until(alive, "up")
    assert (await client.ask({"type": "execute", "id": "2", "command": ":"}))["code"] == (
        "DUPLICATE_ID"
    )
    await client.send({"type": "kill_session", "id": "2"})
    await client.finish("2")
    await client.close()


async def test_another_clients_job(daemon: Daemon, client: Client) -> None:
    job = await client.start(f"echo up; {FOREVER}", id="only-one")
    await client.output_until(job, "up")
    other = await daemon.client()
    assert (await other.ask({"type": "signal", "id": job, "signal": "TERM"}))["type"] == "ack"
    assert (await client.finish(job)).last["reason"] == "exited"
    for each in (client, other):
        assert (await each.run(":", id="ambiguous")).code == 0
    third = await daemon.client()
    answer = await third.ask({"type": "cancel_command", "id": "ambiguous"})
    assert (answer["code"], answer["id"]) == ("NOT_FOUND", answer["request_id"])
    assert "2 jobs" in answer["message"]
    for each in (other, third):
        await each.close()


async def test_an_unknown_id(client: Client) -> None:
    codes = {
        "cancel_command": "NOT_FOUND",
        "kill_session": "SESSION_NOT_FOUND",
        "send_input": "SESSION_ERROR",
        "resize": "SESSION_ERROR",
        "signal": "NOT_FOUND",
    }
    fields = {"data": "x", "cols": 1, "rows": 1, "signal": "INT"}
    ended = (await client.run(":")).last["id"]
    for job in ("never-was", ended):
        for kind, code in codes.items():
            answer = await client.ask({"type": kind, "id": job, **fields})
            assert (answer["type"], answer["code"]) == ("error", code), kind


async def test_ended_jobs_are_kept_up_to_a_number(own_daemon: Callable[..., Daemon]) -> None:
    client = await own_daemon().client()
    for number in range(70):
        await client.run(":", id=str(number))
    assert await _listed(client) == [str(number) for number in range(6, 70)]
    # Forgotten, but not to be run again.
    assert (await client.run(":", id="0")).last["code"] == "DUPLICATE_ID"
    await client.close()


async def test_ended_jobs_are_kept_up_to_a_size(own_daemon: Callable[..., Daemon]) -> None:
    client = await own_daemon().client()
    for number in range(6):
        ran = await client.run("head -c 5000000 /dev/zero", id=str(number), encoding="base64")
        assert ran.last["bytes"]["stdout"] == 5_000_000
    jobs = (await client.ask({"type": "list_jobs"}))["jobs"]
    assert [each["id"] for each in jobs] == ["2", "3", "4", "5"]
    assert sum(each["end"] - each["start"] for each in jobs) <= 16 * 1024 * 1024
    await client.close()
