"""Job names: unique among live jobs, and accepted wherever an id is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.jobs.observe import FOREVER
from tests.server.observe import job_info

if TYPE_CHECKING:
    from tests.live import Client, Daemon, Message


async def read(client: Client, job: str) -> Message:
    """Return the page for a job, given by id or name."""
    page = await client.ask({"type": "read_output", "id": job})
    assert page["type"] == "output_page", page
    return page


async def test_every_message_accepts_the_name(daemon: Daemon, client: Client) -> None:
    other = await daemon.client()
    await client.session(id="by-name 1", command="cat", use_pty=True, name="finds.it")
    assert (await job_info(other, "by-name 1"))["name"] == "finds.it"
    answer = await other.ask({"type": "attach", "id": "finds.it"})
    assert (answer["type"], answer["id"]) == ("attached", "by-name 1")
    await other.ask({"type": "resize", "id": "finds.it", "cols": 90, "rows": 30})
    for message in (
        {"type": "send_input", "data": "hello\n"},
        {"type": "signal", "signal": "WINCH"},
        {"type": "credit", "end": 0},
    ):
        assert (await other.ask({**message, "id": "finds.it"}))["type"] == "ack"
    await other.output_until("by-name 1", "hello\r\nhello")
    page = await read(other, "finds.it")
    assert page["id"] == "by-name 1"
    # The id and the name refer to the same viewer.
    await other.ask({"type": "attach", "id": "by-name 1"})
    assert (await other.ask({"type": "detach", "id": "finds.it"}))["type"] == "ack"
    assert (await other.ask({"type": "kill_session", "id": "finds.it"}))["type"] == "ack"
    assert (await client.until("session_ended", id="by-name 1"))[-1]["reason"] == "killed"
    await other.close()


async def test_names_are_unique_among_live_jobs(daemon: Daemon, client: Client) -> None:
    other = await daemon.client()
    await client.start(FOREVER, id="unique 1", name="unique", timeout=0)
    refused = await other.run("echo never", id="unique 2", name="unique")
    assert (refused.last["code"], refused.last["message"]) == (
        "DUPLICATE_ID",
        "name unique is in use",
    )
    refusal = await client.ask({"type": "start_session", "id": "unique 3", "name": "unique"})
    assert (refusal["code"], refusal["operation"]) == ("DUPLICATE_ID", "start_session")
    await client.ask({"type": "cancel_command", "id": "unique"})
    await client.finish("unique 1")
    # The name is free again, and the refused id as well.
    assert (await other.run("exit 3", id="unique 2", name="unique")).code == 3
    assert (await read(client, "unique"))["exit_code"] == 3
    assert (await other.run("exit 4", id="unique 4", name="unique")).code == 4
    assert (await read(client, "unique"))["exit_code"] == 4
    await other.close()


async def test_ids_are_looked_up_before_names(client: Client) -> None:
    await client.run("exit 1", id="first", name="second")
    await client.run("exit 2", id="second", name="first")
    assert (await read(client, "first"))["exit_code"] == 1
    assert (await read(client, "second"))["exit_code"] == 2


async def test_a_queued_job_has_its_name(daemon: Daemon, client: Client) -> None:
    held = [await client.start(FOREVER, timeout=0) for _ in range(4)]
    await client.start("echo never", id="in the queue", name="waits")
    await client.until("command_queued", id="in the queue")
    assert (await client.run("echo never", name="waits")).last["code"] == "DUPLICATE_ID"
    await client.send({"type": "cancel_command", "id": "waits"})
    assert (await client.finish("in the queue")).last["code"] == "CANCELLED"
    for job in held:
        await client.send({"type": "cancel_command", "id": job})
        await client.finish(job)


@pytest.mark.parametrize(
    "name", ["", "a b", "a/b", "a\n", "é", "x" * 65, "-\x00", 7, ["a"], {"a": 1}]
)
async def test_invalid_names(client: Client, name: object) -> None:
    answer = (await client.run("echo never", id="nameless", name=name)).last
    assert answer["code"] == "INVALID_MESSAGE"
    assert answer["message"].startswith("name: expected ")
    # The id is free.
    assert (await client.run("true")).code == 0


@pytest.mark.parametrize("name", ["a", "x" * 64, ".", "..", "-", "A-Z_0.9"])
async def test_valid_names(client: Client, name: str) -> None:
    ran = await client.run("exit 5", name=name)
    assert ran.code == 5
    assert (await read(client, name))["id"] == ran.last["id"]
