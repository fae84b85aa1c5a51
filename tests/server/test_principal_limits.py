"""The limits of each principal but the owner: over them the typed error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.server.principals import member, mint
from tests.server.raw import Raw

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live import Daemon

FOREVER = "sleep 98765"


async def test_the_defaults(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-processes", "40", "--max-queue", "60", "--max-clients", "9")
    alice = await member(daemon, "alice")
    for number in range(5):
        await alice.session(id=f"s{number}", command="cat")
    refused = await alice.ask({"type": "start_session", "id": "s5", "command": "cat"})
    assert (refused["code"], refused["message"]) == (
        "TOO_MANY_PROCESSES",
        "alice has 5 sessions, and may have no more at a time",
    )
    for number in range(4):
        await alice.start(f"echo up; {FOREVER}", id=f"c{number}")
        await alice.output_until(f"c{number}", "up")
    for number in range(16):
        await alice.start("echo ran", id=f"q{number}")
        queued = (await alice.until("command_queued", id=f"q{number}"))[-1]
        assert queued["position"] == number + 1
    refused = (await alice.run(":", id="q16")).last
    assert (refused["code"], refused["message"]) == (
        "QUEUE_FULL",
        "alice has 16 waiting commands, and may have no more at a time",
    )
    # Others, and her own other connections, are judged by the same numbers.
    bob = await member(daemon, "bob")
    assert (await bob.run("echo free")).out == "free\n"
    owner = await daemon.client()
    for number in range(6):
        await owner.session(id=f"o{number}", command="cat")
    assert (await owner.run("echo free")).out == "free\n"
    # A job that ends lets the next one of hers run.
    await alice.ask({"type": "cancel_command", "id": "c0"})
    assert (await alice.finish("q15")).out == "ran\n"
    for client in (alice, bob, owner):
        await client.close()


async def test_max_processes_of_a_token(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-clients", "9")
    alice = await member(daemon, "alice", max_processes=1)
    await alice.session(id="s", command="cat")
    refused = await alice.ask({"type": "start_session", "id": "s2"})
    assert refused["message"].startswith("alice has 1 commands and sessions")
    job = await alice.start("echo ran")
    assert (await alice.until("command_queued", id=job))[-1]["position"] == 1
    await alice.ask({"type": "kill_session", "id": "s"})
    assert (await alice.finish(job)).out == "ran\n"
    await alice.close()


async def test_connections(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-clients", "40")
    token = await mint(daemon, "alice")
    clients = [await daemon.client(f"c{number}", token=token) for number in range(8)]
    raw = await Raw.upgraded(daemon)
    raw.send({"type": "auth", "client_id": "c8", "token": token, "transient": True})
    error = await raw.receive()
    assert (error["code"], error["message"]) == (
        "CLIENT_REJECTED",
        "alice has 8 connections, and may have no more at a time",
    )
    raw = await Raw.open(daemon)
    answer = await raw.upgrade(headers={"Authorization": f"Bearer {token}"})
    assert (answer.status, answer.headers["retry-after"]) == (429, "5")
    # Taking over is no further connection, and others have their own.
    again = await daemon.client("c7", token=token)
    bob = await member(daemon, "bob")
    for client in (*clients[:7], again, bob):
        await client.close()


async def test_uploads(own_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = own_daemon("--max-clients", "9")
    token = await mint(daemon, "alice")
    clients = [await daemon.client(f"c{number}", token=token) for number in range(2)]
    start = {"type": "fs_write_start", "root": str(tmp_path)}
    for number in range(4):
        answer = await clients[number % 2].ask({**start, "id": f"u{number}", "path": f"f{number}"})
        assert answer["type"] == "fs_result", answer
        upload = answer["result"]["upload_id"]
    answer = await clients[0].ask({**start, "id": "u4", "path": "f4"})
    assert (answer["code"], answer["message"]) == (
        "QUEUE_FULL",
        "4 uploads of alice are open already",
    )
    # By HTTP it counts the same.
    raw = await Raw.open(daemon)
    head = {"Host": "localhost", "Authorization": f"Bearer {token}", "Content-Length": "0"}
    response = await raw.ask(f"/files{tmp_path}/f5", head, method="PUT")
    assert (response.status, json.loads(response.body)["code"]) == (503, "QUEUE_FULL")
    answer = await clients[1].ask({"type": "fs_write_finish", "id": "f", "upload_id": upload})
    assert answer["type"] == "fs_result", answer
    assert (await raw.ask(f"/files{tmp_path}/f5", head, method="PUT")).status == 201
    for client in clients:
        await client.close()


async def test_requests(own_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = own_daemon("--principal-connections", "2")
    token = await mint(daemon, "alice")
    opened = []
    for number in range(2):
        raw = await Raw.open(daemon)
        raw.write(
            f"PUT /files{tmp_path}/{number} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"
            f"Authorization: Bearer {token}\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert b"100 Continue" in await raw.reader.readuntil(b"\r\n\r\n")
        opened.append(raw)
    raw = await Raw.open(daemon)
    head = {"Host": "localhost", "Authorization": f"Bearer {token}"}
    response = await raw.ask("/files/etc/hostname", head)
    assert response.status == 503
    assert b"2 requests of alice" in response.body
    mine = {"Host": "localhost", "Authorization": f"Bearer {daemon.token}"}
    assert (await (await Raw.open(daemon)).ask("/files/etc/hostname", mine)).status == 200


async def test_unread_output(own_daemon: Callable[..., Daemon]) -> None:
    size = 3 * 1024 * 1024
    daemon = own_daemon("--max-clients", "9", "--principal-unread", str(size))
    token = await mint(daemon, "alice")
    deaf = [await daemon.client(f"c{number}", token=token) for number in range(2)]
    # With a window of one byte nearly all their output stays unread, in two connections.
    for client in deaf:
        job = await client.start(f"head -c {size // 2 + 100_000} /dev/zero", window=1)
        follower = await daemon.client(local=True)
        await follower.ask({"type": "attach", "id": job})
        await follower.until("result", id=job)
        await follower.close()
    reader = await daemon.client("reader", token=token)
    refused = (await reader.run(":")).last
    assert (refused["code"], refused["message"]) == (
        "QUEUE_FULL",
        f"more than {size} bytes of output wait for alice to read them",
    )
    owner = await daemon.client()
    assert (await owner.run("echo on")).out == "on\n"
    await deaf[0].close()
    await deaf[1].close()
    assert (await reader.run("echo on")).out == "on\n"
    await reader.close()
    await owner.close()


async def test_nobody_pushes_out_anothers(own_daemon: Callable[..., Daemon]) -> None:
    """Ended jobs, contexts and remembered ids are limited for each principal by itself."""
    daemon = own_daemon("--max-clients", "9")
    owner = await daemon.client("mine")
    await owner.run("x=kept", id="kept")
    alice = await member(daemon, "alice")
    for number in range(70):
        await alice.run(":", context=f"c{number}" if number < 64 else "c0")
    error = await alice.ask({"type": "set_context", "context": "one-more", "env": {}})
    assert error["message"] == "context: expected one of the 64 in use"
    await owner.run("y=1", context="free")
    jobs = (await owner.ask({"type": "list_jobs"}))["jobs"]
    assert "kept" in [job["id"] for job in jobs]
    assert sum(job["principal"] == "alice" for job in jobs) == 64
    assert (await owner.run(":", id="kept")).last["code"] == "DUPLICATE_ID"
    await alice.close()
    await owner.close()
