"""Kicked clients: close code and reason, bars, and who may kick whom."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.principals import administer, member
from tests.server.raw import Raw
from tests.server.raw import request as http_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live import Client, Daemon, Message


@pytest.fixture
def many(own_daemon: Callable[..., Daemon]) -> Daemon:
    """Return a daemon with room for several clients."""
    return own_daemon("--max-clients", "16")


async def kick(client: Client, client_id: str, reason: str = "too loud", **fields: Any) -> Message:
    return await client.ask(
        {"type": "kick_client", "client_id": client_id, "reason": reason, **fields}
    )


async def rejection(daemon: Daemon, client_id: str, token: str | None = None) -> str:
    """Connect with a client_id that is refused; return the message of CLIENT_REJECTED."""
    raw = await Raw.upgraded(daemon)
    raw.send({"type": "auth", "token": token or daemon.token, "client_id": client_id})
    error = await raw.receive()
    assert error["code"] == "CLIENT_REJECTED", error
    assert (await raw.closed())[0] == 4006
    return str(error["message"])


async def test_code_and_reason(many: Daemon) -> None:
    owner = await many.client("o")
    phone = await many.client("phone")
    job = await phone.session(command="cat")
    assert (await kick(owner, "phone"))["type"] == "ack"
    assert await phone.closed() == (4009, "too loud (by owner)")
    # Its jobs run on, and it may come back.
    phone = await many.client("phone")
    assert [each["id"] for each in phone.status["jobs"]] == [job]
    # A long reason is cut; the name stays.
    assert (await kick(owner, "phone", "é" * 200))["type"] == "ack"
    code, reason = await phone.closed()
    assert code == 4009
    assert len(reason.encode()) <= 123
    assert reason.endswith("é… (by owner)")
    assert (await kick(owner, "phone"))["code"] == "NOT_FOUND"
    assert "owner kicked client phone of owner: too loud" in (many.home / "daemon.log").read_text()


@pytest.mark.parametrize(
    "fields",
    [
        {"reason": ""},
        {"reason": "  "},
        {"reason": "x" * 201},
        {"reason": None},
        {"bar_seconds": -1},
        {"bar_seconds": 366 * 86_400},
        {"principal": "Not A Name"},
        {"client_id": ""},
        {"end_jobs": "yes"},
    ],
)
async def test_wrong_fields(client: Client, fields: Message) -> None:
    answer = await client.ask(
        {"type": "kick_client", "client_id": client.id, "reason": "fine", **fields}
    )
    assert answer["code"] == "INVALID_MESSAGE"


async def test_a_client_of_another_principal(many: Daemon) -> None:
    alice = await member(many, "alice", client_id="same")
    mine = await many.client("same")
    owner = await many.client("o")
    assert (await kick(owner, "same", principal="alice"))["type"] == "ack"
    assert await alice.closed() == (4009, "too loud (by owner)")
    assert (await mine.ask({"type": "ping"}))["type"] == "pong"


async def test_nobody_kicks_upward(many: Daemon) -> None:
    owner = await many.client("o")
    ann, bob = [await member(many, name, "admin") for name in ("ann", "bob")]
    alice = await member(many, "alice")
    for client_id in ("o", "nobody"):
        for fields in ({}, {"bar_seconds": 60}, {"end_jobs": True}):
            answer = await kick(ann, client_id, principal="owner", **fields)
            assert answer["code"] == "FORBIDDEN", answer
    assert (await kick(alice, "alice"))["code"] == "FORBIDDEN"
    assert (await owner.ask({"type": "ping"}))["type"] == "pong"
    # Admins are each other's equals.
    assert (await kick(ann, "bob", principal="bob"))["type"] == "ack"
    assert await bob.closed() == (4009, "too loud (by ann)")
    # Without a principal: one of his own.
    assert (await kick(ann, "bob"))["code"] == "NOT_FOUND"
    await ann.send({"type": "kick_client", "client_id": "ann", "reason": "me", "request_id": "r"})
    assert await ann.closed() == (4009, "me (by ann)")
    assert {"ack"} == {each["type"] for each in ann.aside if each.get("request_id") == "r"}


async def test_a_bar(many: Daemon) -> None:
    owner = await many.client("o")
    phone = await many.client("phone")
    assert (await kick(owner, "phone", "floods", bar_seconds=3600))["type"] == "ack"
    assert (await phone.closed())[0] == 4009
    message = await rejection(many, "phone")
    assert message.startswith("client phone is barred until 2")
    assert message.endswith(" UTC: floods (by owner)")
    clients = (await owner.ask({"type": "list_clients"}))["clients"]
    assert [each["client_id"] for each in clients if "barred_until" in each] == ["phone"]
    # A shorter bar does not end the longer one.
    assert (await kick(owner, "phone", "less", bar_seconds=0.001))["type"] == "ack"
    assert "floods" in await rejection(many, "phone")
    # The client_id of another principal is another client.
    alice = await member(many, "alice", client_id="phone")
    # HTTP requests in its name are refused, too.
    head = {"Host": "localhost", "Authorization": f"Bearer {many.token}"}
    raw = await Raw.open(many)
    answer = await raw.ask("/files/etc/hostname", {**head, "Shellwire-Client": "phone"})
    assert (answer.status, json.loads(answer.body)["code"]) == (403, "CLIENT_REJECTED")
    await alice.close()
    # It outlasts a restart.
    home = many.home / "clients.json"
    assert stat.S_IMODE(home.stat().st_mode) == 0o600
    assert json.loads(home.read_text())["phone"]["barred"]["reason"] == "floods"


async def test_a_bar_outlasts_a_restart_and_ends(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    for client_id, seconds in (("long", 3600), ("short", 0.001)):
        answer = await administer(
            daemon, "kick_client", client_id=client_id, reason="x", bar_seconds=seconds
        )
        assert answer["type"] == "ack"
    await asyncio.to_thread(daemon.stop)
    daemon = own_daemon(home=daemon.home)
    assert "barred until" in await rejection(daemon, "long")
    client = await daemon.client("short")
    await client.close()


async def test_the_owner_is_not_locked_out(many: Daemon) -> None:
    owner = await many.client("o")
    assert (await kick(owner, "o", bar_seconds=3600))["type"] == "ack"
    assert await owner.closed() == (4009, "too loud (by owner)")
    assert "barred" in await rejection(many, "o")
    local = await many.client("o", local=True)
    assert (await kick(local, "o", bar_seconds=7200))["type"] == "ack"
    assert (await local.closed())[0] == 4009
    local = await many.client("o", local=True)
    assert (await local.run("echo in")).out == "in\n"


async def test_its_jobs(many: Daemon) -> None:
    owner = await many.client("o")
    alice = await member(many, "alice")
    job = await alice.session(command="cat")
    await alice.start("exec sleep 600", id="command")
    for job_id in (job, "command"):
        await owner.ask({"type": "attach", "id": job_id})
    answer = await kick(owner, "alice", "tidy up", principal="alice", end_jobs=True)
    assert answer["type"] == "ack"
    assert (await alice.closed())[0] == 4009
    for job_id, kind in ((job, "session_ended"), ("command", "result")):
        (*_, last) = await owner.until(kind, id=job_id)
        assert (last["reason"], last["message"], last["by"]) == ("killed", "tidy up", "owner")
    # Also when the client is not connected.
    assert (await kick(owner, "alice", principal="alice", end_jobs=True))["code"] == "NOT_FOUND"


async def test_its_transfers(many: Daemon, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(64 * 1024 * 1024))
    raw = await Raw.open(many)
    head = {"Host": "localhost", "Authorization": f"Bearer {many.token}"}
    raw.write(http_request(f"/files{tmp_path}/big", {**head, "Shellwire-Client": "phone"}))
    assert b" 200 " in await raw.reader.readuntil(b"\r\n")
    answer = await administer(many, "kick_client", client_id="phone", reason="x")
    assert answer["type"] == "ack"
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await raw.reader.readexactly(64 * 1024 * 1024)


async def test_a_bar_that_can_not_be_stored_kicks_nobody(many: Daemon) -> None:
    phone = await many.client("phone")
    (many.home / "clients.json").unlink(missing_ok=True)
    os.mkdir(many.home / "clients.json")
    answer = await administer(
        many, "kick_client", client_id="phone", reason="x", bar_seconds=60, end_jobs=True
    )
    assert answer["code"] == "INTERNAL_ERROR"
    assert (await phone.ask({"type": "ping"}))["type"] == "pong"


async def test_a_damaged_bar_stops_the_start(own_daemon: Callable[..., Daemon]) -> None:
    from shellwire.errors import DamagedFile
    from shellwire.home.clients import Clients
    from shellwire.home.paths import Home

    daemon = own_daemon()
    await asyncio.to_thread(daemon.stop)
    for wrong in ("x", {}, {"until": 1e300, "reason": "", "by": ""}, {"until": "soon"}):
        (daemon.home / "clients.json").write_text(json.dumps({"phone": {"barred": wrong}}))
        with pytest.raises(DamagedFile, match="barred of"):
            Clients.load(Home(daemon.home))


@pytest.mark.long
async def test_kicked_while_it_floods(many: Daemon) -> None:
    """At any moment of a client's life: it gets 4009 or has left, and its jobs end once."""
    owner = await many.client("o")
    for number in range(30):
        phone = await many.client("phone")
        await phone.start("yes", id=f"flood-{number}", window=4096)
        answer = await kick(owner, "phone", end_jobs=True)
        assert answer["type"] == "ack"
        assert (await phone.closed())[0] == 4009
    jobs = (await owner.ask({"type": "list_jobs"}))["jobs"]
    while any(job["state"] == "running" for job in jobs):
        jobs = (await owner.ask({"type": "list_jobs"}))["jobs"]
    assert {job["reason"] for job in jobs} == {"killed"}
