"""Transient clients: no client slot, not in clients.json, all other rules as for any client."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.jobs.observe import FOREVER
from tests.live import PATIENCE, Client
from tests.server.observe import cli, job_info
from tests.server.test_attach import attached

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Daemon, Message


async def tool(
    daemon: Daemon, client_id: str, *, local: bool = False, transient: object = True
) -> Client:
    """Connect as a transient client; ``status`` holds the answer."""
    client = Client(await daemon.connect(local=local), client_id)
    auth: dict[str, Any] = {"type": "auth", "client_id": client_id, "protocol": 1}
    await client.send({**auth, "token": daemon.token, "transient": transient})
    client.status = await client.receive()
    return client


def known(daemon: Daemon) -> list[Message]:
    found: list[Message] = json.loads(cli(daemon, "clients", "list", "--json"))
    return found


async def test_a_tool_takes_no_slot_and_is_not_remembered(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon("--max-clients", "1")
    tools = [await tool(daemon, f"tool {number}") for number in range(3)]
    assert "transient" in tools[0].status["features"]
    app = await daemon.client("app")
    late = await tool(daemon, "late")
    assert (await late.run("echo $((40 + 2))")).out == "42\n"
    # Other clients still need a slot.
    refused = await tool(daemon, "another app", transient="yes")
    assert refused.status["code"] == "CLIENT_REJECTED"
    assert "by app;" in refused.status["message"]
    assert (await refused.closed())[0] == 4006
    for client in (*tools, late):
        await client.close()
    assert [each["client_id"] for each in known(daemon)] == ["app"]
    assert list(json.loads((daemon.home / "clients.json").read_text())) == ["app"]
    await app.close()


async def test_the_limit_of_transient_clients(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    tools = [await tool(daemon, f"tool {number}") for number in range(64)]
    refused = await tool(daemon, "one too many")
    assert (refused.status["code"], (await refused.closed())[0]) == ("CLIENT_REJECTED", 4006)
    assert refused.status["message"].startswith("64 transient clients are connected")
    # A reconnecting tool exceeds no limit, nor does a tool on the Unix socket.
    again = await tool(daemon, "tool 7")
    assert again.status["type"] == "status"
    assert (await tools[7].closed())[0] == 4000
    local = await tool(daemon, "local", local=True)
    assert local.status["type"] == "status"
    await again.close()
    async with asyncio.timeout(PATIENCE):
        while (late := await tool(daemon, "late")).status["type"] != "status":
            await late.closed()
    for client in (*tools, late, local):
        await client.close()


async def test_a_tool_takes_over_only_from_tools(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-clients", "1")
    app = await daemon.client("name")
    for local in (False, True):
        refused = await tool(daemon, "name", local=local)
        assert refused.status["code"] == "CLIENT_REJECTED"
        assert "client name is connected" in refused.status["message"]
    assert (await app.run("echo here")).out == "here\n"
    await app.close()
    first = await tool(daemon, "other name")
    # An app may take over from a tool, and is recorded in clients.json.
    app = await daemon.client("other name")
    assert (await first.closed())[0] == 4000
    assert {each["client_id"] for each in known(daemon)} == {"name", "other name"}
    await app.close()


async def test_a_tool_finds_its_jobs_again(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    observer = await daemon.client(local=True)
    cut = await tool(daemon, "cut")
    await cut.run("cd /usr; export KEPT=yes")
    await cut.start("read x; echo $x $KEPT", id="keeps", open_stdin=True, timeout=0)
    await cut.start(FOREVER, id="kills", on_disconnect="kill")
    await cut.ask({"type": "ping"})  # its answer shows that the messages before it have arrived
    cut.ws.transport.abort()
    async with asyncio.timeout(PATIENCE):
        while (await job_info(observer, "kills"))["state"] != "ended":
            pass
    again = await tool(daemon, "cut")
    assert {job["id"]: job["state"] for job in again.status["jobs"]}["keeps"] == "running"
    # Its ids are not reused, either.
    assert (await again.run("true", id="kills")).last["code"] == "DUPLICATE_ID"
    # Its context exists as long as the job.
    assert (await again.run("echo $PWD $KEPT")).out == "/usr yes\n"
    await attached(again, "keeps")
    await again.send({"type": "send_input", "id": "keeps", "data": "in\n"})
    assert (await again.finish("keeps")).out == "in yes\n"
    await again.close()
    await observer.close()


@pytest.mark.long
async def test_a_tools_context_is_dropped(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    app = await daemon.client("app")
    await app.run("cd /usr; export KEPT=yes")
    for number in range(200):
        passer = await tool(daemon, f"passer {number}")
        if number % 20 == 0:
            await passer.run("cd /; export KEPT=no")
        else:
            await passer.ask({"type": "set_context", "cwd": "/"})
        await passer.close()
    assert (await app.run("echo $PWD $KEPT")).out == "/usr yes\n"
    await app.close()
    # A tool with the client_id of an app neither sees nor changes the app's context.
    same = await tool(daemon, "app")
    assert (await same.run("echo ${KEPT-new}; KEPT=no")).out == "new\n"
    await same.close()
    app = await daemon.client("app")
    assert (await app.run("echo $PWD $KEPT")).out == "/usr yes\n"
    await app.close()


async def test_revocations_hold(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    client = await tool(daemon, "bad")
    cli(daemon, "clients", "revoke", "bad")
    assert (await client.closed())[0] == 1008
    refused = await tool(daemon, "bad")
    assert (refused.status["code"], refused.status["message"]) == (
        "CLIENT_REJECTED",
        "client bad is revoked",
    )
    good = await tool(daemon, "good")
    cli(daemon, "token", "rotate")
    assert (await good.closed())[0] == 1008
    assert (await tool(daemon, "good")).status["code"] == "INVALID_TOKEN"


async def test_only_true_is_transient(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-clients", "5")
    values = (False, None, 1, "true", [True])
    clients = [await tool(daemon, f"{each}", transient=each) for each in values]
    assert {each["client_id"] for each in known(daemon)} == {f"{each}" for each in values}
    for client in clients:
        await client.close()
