"""Client slots, takeover, revocation, token rotation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.server.observe import cli, wait_no_client_connected, window_is_full
from tests.server.raw import CLOSE, Raw, frame, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Daemon


async def rejected(daemon: Daemon, client_id: str, *, local: bool = False) -> str:
    """Assert that the client is rejected; return why."""
    raw = await Raw.upgraded(daemon, local=local)
    raw.send(raw.auth(daemon, client_id, request_id="r"))
    error = await raw.receive()
    assert (error["code"], error["id"], error["operation"]) == ("CLIENT_REJECTED", "r", "auth")
    assert (await raw.closed())[0] == 4006
    return str(error["message"])


# Slots -------------------------------------------------------------------------------------------


async def test_one_client_by_default(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    holder = await Raw.client(daemon, "holder")
    reason = await rejected(daemon, "second")
    assert "holder" in reason
    assert "--max-clients" in reason
    # However the client disconnects, the slot is free once the daemon notices.
    holder.write(frame(CLOSE, b"\x03\xe8"))
    await holder.gone()
    (await Raw.client(daemon, "second")).reset()
    await wait_no_client_connected(daemon)
    await (await Raw.client(daemon, "third")).close()
    await wait_no_client_connected(daemon)
    (await Raw.client(daemon, "fourth")).write(b"\xff\xff")
    await wait_no_client_connected(daemon)


async def test_max_clients(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-clients", "3")
    for name in ("c", "a", "b"):
        await Raw.client(daemon, name)
    assert "a, b, c" in await rejected(daemon, "d")
    await Raw.client(daemon, "b")  # takes over


# Takeover ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("local", [False, True])
async def test_takeover(daemon: Daemon, local: bool) -> None:
    old = await daemon.client("moves", local=local)
    session = await old.session(command="cat")
    new = await daemon.client("moves", local=local)
    code, reason = await old.closed()
    assert (code, "replaced" in reason) == (4000, True)
    # The old connection ends after the new one was admitted: a late close detaches no job.
    # A session of another test may be about to end.
    assert session in [job["id"] for job in new.status["jobs"] if job["state"] == "running"]
    listed = (await new.ask({"type": "list_clients"}))["clients"]
    assert (
        local
        or {"moves": True}.items()
        <= {each["client_id"]: each["is_connected"] for each in listed}.items()
    )
    assert (await new.run("echo on")).out == "on\n"
    assert (await new.ask({"type": "kill_session", "id": session}))["type"] == "ack"
    # A takeover attaches no job.
    assert not [m for m in new.aside if m["type"] != "session_ended" and m["id"] == session]
    await new.close()


async def test_takeover_from_a_client_that_does_not_read(daemon: Daemon) -> None:
    old = await Raw.client(daemon, "deaf")
    old.stop_reading()
    old.send({"type": "execute", "id": "flood", "command": "yes"})
    observer = await daemon.client()
    await window_is_full(
        observer, "flood"
    )  # output that the socket does not take waits in the buffer
    new = await Raw.client(daemon, "deaf")
    new.send({"type": "kill_session", "id": "flood", "request_id": "k"})
    assert (await new.until("ack"))["id"] == "k"
    old.read_again()
    await old.gone()
    new.send({"type": "ping"})
    assert (await new.receive())["type"] == "pong"
    await observer.close()


async def test_messages_of_a_replaced_connection_are_ignored(daemon: Daemon) -> None:
    old = await Raw.client(daemon, "late")
    marker = daemon.home / "late"
    new = await Raw.upgraded(daemon)
    new.write(text(new.auth(daemon, "late")))
    assert (await new.receive())["type"] == "status"
    opcode, payload = await old.frame()
    assert (opcode, payload[:2]) == (CLOSE, b"\x0f\xa0")
    # The old client has not answered the close: its connection is open, but no longer served.
    old.send({"type": "execute", "id": "late", "command": f"touch {marker}"})
    old.write(frame(CLOSE, payload[:2]))
    await old.gone()
    new.send({"type": "execute", "id": "after", "command": "echo done"})
    assert (await new.until("output"))["data"] == "done\n"
    assert not marker.exists()


# Revocation and rotation -------------------------------------------------------------------------


@pytest.mark.long
async def test_revoke_and_restore(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-clients", "3")
    victim = await daemon.client("victim")
    bystander = await daemon.client("bystander")
    session = await victim.session(command="cat")
    cli(daemon, "clients", "revoke", "victim")
    assert await victim.closed() == (1008, "this client was revoked")
    assert "revoked" in await rejected(daemon, "victim")
    assert "revoked" in await rejected(daemon, "victim", local=True)
    jobs = (await bystander.ask({"type": "list_jobs"}))["jobs"]
    assert [(job["id"], job["state"]) for job in jobs] == [(session, "running")]
    cli(daemon, "clients", "revoke", "never seen")
    assert "revoked" in await rejected(daemon, "never seen")
    cli(daemon, "clients", "restore", "victim")
    back = await daemon.client("victim")
    assert (await back.ask({"type": "kill_session", "id": session}))["type"] == "ack"
    await back.close()
    await bystander.close()


async def test_a_revoked_client_is_cut_off_at_once(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-clients", "2")
    victim = await Raw.client(daemon, "victim")
    marker = daemon.home / "marker"
    clients = daemon.home / "clients.json"
    known = json.loads(clients.read_text())
    known["victim"]["is_revoked"] = True
    clients.write_text(json.dumps(known))
    admin = await Raw.client(daemon, "admin", local=True)
    admin.send({"type": "reload", "request_id": "r"})
    assert (await admin.until("ack"))["id"] == "r"
    # The client keeps sending requests until it answers the close frame.
    victim.send({"type": "execute", "id": "x", "command": f"touch {marker}"})
    assert (await victim.closed())[0] == 1008
    admin.send({"type": "execute", "id": "y", "command": "echo done"})
    assert (await admin.until("output"))["data"] == "done\n"
    assert not marker.exists()


async def test_a_damaged_clients_file_is_ignored(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    client = await daemon.client("stays")
    (daemon.home / "clients.json").write_text("[")
    (daemon.home / "auth.token").write_text("short")
    assert (await client.ask({"type": "reload"}))["type"] == "ack"
    (daemon.home / "auth.token").unlink()
    (daemon.home / "auth.token").mkdir()
    assert (await client.ask({"type": "reload"}))["type"] == "ack"
    assert (await client.run("echo in")).out == "in\n"
    await client.close()
    log = (daemon.home / "daemon.log").read_text()
    assert "clients.json is damaged" in log
    assert "auth.token" in log
    assert "Traceback" not in log


async def test_token_rotate(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-clients", "3")
    tcp = await daemon.client("tcp")
    session = await tcp.session(command="cat")
    local = await daemon.client("local", local=True)
    new_token = cli(daemon, "token", "rotate").strip()
    assert await tcp.closed() == (1008, "the token was rotated")
    raw = await Raw.upgraded(daemon)
    raw.send(raw.auth(daemon, "tcp"))
    assert (await raw.closed())[0] == 4005
    daemon.token = new_token
    again = await daemon.client("tcp")
    assert (await again.ask({"type": "kill_session", "id": session}))["type"] == "ack"
    assert (await local.run("echo stays")).out == "stays\n"
    # A reload without changes disconnects nobody.
    assert (await local.ask({"type": "reload"}))["type"] == "ack"
    assert (await again.run("echo stays")).out == "stays\n"
    await again.close()
    await local.close()


async def test_the_client_that_rotates_the_token_gets_its_ack(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon()
    raw = await Raw.client(daemon, "rotates")
    (daemon.home / "auth.token").write_text("f" * 64)
    raw.send({"type": "reload", "request_id": "r"})
    assert await raw.receive() == {
        "type": "ack",
        "id": "r",
        "request_id": "r",
        "operation": "reload",
    }
    assert (await raw.closed())[0] == 1008


# clients.json ------------------------------------------------------------------------------------


async def test_connecting_does_not_write_the_clients_file_each_time(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon("--max-clients", "2")
    file = daemon.home / "clients.json"
    await (await daemon.client("a")).close()
    written = file.stat().st_ino, file.stat().st_mtime_ns
    for _ in range(20):
        await (await daemon.client("a")).close()
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == written
    local = await daemon.client(local=True)
    (info,) = (await local.ask({"type": "list_clients"}))["clients"]
    await local.close()
    on_disk = json.loads(file.read_text())["a"]
    assert on_disk["first_seen"] == info["first_seen"]
    assert on_disk["last_seen"] < info["last_seen"]
    # Unwritten changes are written when the daemon stops.
    daemon.stop()
    assert json.loads(file.read_text())["a"]["last_seen"] >= info["last_seen"]
