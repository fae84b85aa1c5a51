"""What ends with an elevation: all that only the raised role could have open."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.principals import member, mint
from tests.server.raw import Raw
from tests.server.raw import request as http_request
from tests.server.test_elevation import code, elevate, lower, many, may, raised

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live import Daemon

__all__ = ["many"]


async def test_expiry_ends_what_an_admin_followed(many: Daemon) -> None:
    owner = await many.client("o")
    await owner.session(id="theirs", command="cat", use_pty=True)
    ann = await raised(many, "ann", "operator", "admin")
    await ann.session(id="mine", command="cat", use_pty=True)
    assert (await ann.ask({"type": "attach", "id": "theirs"}))["type"] == "attached"
    read = {"type": "read_output", "wait_ms": 10**9, "after": 0}
    await ann.send({**read, "id": "theirs", "request_id": "long"})
    await ann.send({**read, "id": "mine", "request_id": "own"})
    await lower(ann)
    (*_, detached) = await ann.until("error", id="theirs")
    assert (detached["code"], detached["operation"]) == ("FORBIDDEN", "attach")
    (*_, refused) = await ann.until("error", request_id="long")
    assert (refused["code"], refused["operation"]) == ("FORBIDDEN", "read_output")
    # Its own it keeps.
    await ann.send({"type": "send_input", "id": "mine", "data": "on\n"})
    assert await ann.output_until("mine", "on")
    (*_, page) = await ann.until("output_page", request_id="own")
    assert page["chunks"]
    await owner.send({"type": "send_input", "id": "theirs", "data": "secret\n"})
    await owner.output_until("theirs", "secret")
    assert await code(ann, "attach", id="theirs") == "NOT_FOUND"
    assert [job["id"] for job in (await ann.ask({"type": "list_jobs"}))["jobs"]] == ["mine"]
    assert not any("secret" in json.dumps(message) for message in ann.aside)


async def test_expiry_ends_the_jobs_that_a_viewer_could_not_start(many: Daemon) -> None:
    ann = await raised(many, "ann", "viewer", "operator")
    await ann.session(id="session", command="cat", use_pty=True)
    await ann.start("exec sleep 600", id="command")
    for number in range(3):
        await ann.start("exec sleep 600", id=f"more-{number}")
    await ann.start("touch never", id="queued")
    await ann.until("command_queued", id="queued")
    await lower(ann)
    for job, kind in (("session", "session_ended"), ("command", "result")):
        (*_, last) = await ann.until(kind, id=job)
        assert last["reason"] == "killed"
        assert "the elevation of ann to operator has ended" in last["message"]
    (*_, last) = await ann.until("error", id="queued")
    assert last["code"] == "CANCELLED"
    assert await code(ann, "execute", id="again", command="true") == "FORBIDDEN"


async def test_expiry_ends_a_job_in_anothers_context_only(many: Daemon) -> None:
    owner = await many.client("o")
    await owner.run("X=1", context="build")
    ann = await raised(many, "ann", "operator", "admin")
    await ann.start("exec sleep 600", id="own")
    await ann.start("exec sleep 600", id="theirs", context="owner/build")
    await lower(ann)
    (*_, last) = await ann.until("result", id="theirs")
    assert last["reason"] == "killed"
    states = {job["id"]: job["state"] for job in (await ann.ask({"type": "list_jobs"}))["jobs"]}
    assert states["own"] == "running"


async def test_expiry_ends_file_messages_and_transfers(many: Daemon, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(64 * 1024 * 1024))
    token = await mint(many, "ann", "viewer", may_elevate=may("operator"))
    ann = await many.client("a", token=token)
    await elevate(ann)
    start = {"type": "fs_write_start", "id": "up", "root": str(tmp_path), "path": "new"}
    upload = (await ann.ask(start))["result"]["upload_id"]
    raw = await Raw.open(many)
    head = {"Host": "localhost", "Authorization": f"Bearer {token}"}
    raw.write(http_request(f"/files{tmp_path}/big", head))
    assert b" 200 " in await raw.reader.readuntil(b"\r\n")
    await lower(ann)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await raw.reader.readexactly(64 * 1024 * 1024)
    chunk = base64.b64encode(b"x").decode()
    fields = {"root": str(tmp_path), "upload_id": upload, "content_base64": chunk}
    assert await code(ann, "fs_write_chunk", id="up", offset=0, **fields) == "FORBIDDEN"
    await elevate(ann)
    answer = await ann.ask({"type": "fs_write_chunk", "id": "up", "offset": 0, **fields})
    assert answer["code"] == "UPLOAD_NOT_FOUND"
    assert not (tmp_path / "new").exists()
    await ann.close()


async def test_expiry_refuses_waiting_file_messages(many: Daemon, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 700_000)
    ann = await raised(many, "ann", "viewer", "operator")
    read = {"type": "fs_read", "root": str(tmp_path), "path": "file", "id": "f"}
    # In one go, so that many wait when the elevation ends.
    for number in range(40):
        await ann.send({**read, "request_id": f"r{number}"})
    await lower(ann)
    answers: dict[str, Any] = {}
    while len(answers) < 40:
        message = await ann.receive()
        if str(message.get("request_id")).startswith("r"):
            answers[message["request_id"]] = message.get("code", message["type"])
    assert set(answers.values()) <= {"FORBIDDEN", "fs_result"}
    assert await code(ann, "fs_read", root="/", path="etc/hostname", id="x") == "FORBIDDEN"


async def test_a_passive_viewer_again(many: Daemon) -> None:
    """A viewer raised to admin counts as a reader; lowered, it can't stop the job any more."""
    owner = await many.client("o")
    job = await owner.session(command="cat", use_pty=True)
    ann = await raised(many, "ann", "viewer", "admin")
    await ann.ask({"type": "attach", "id": job, "window": 1})
    await owner.send({"type": "send_input", "id": job, "data": f"{'x' * 50}\n" * 200})
    await lower(ann)
    seen = 0
    while seen < 200 * 50:
        seen += len((await owner.until("output", id=job))[-1]["data"])
    assert await code(ann, "send_input", id=job, data="") == "FORBIDDEN"


@pytest.mark.long
async def test_every_file_message_is_answered_once(many: Daemon, tmp_path: Path) -> None:
    """Whatever it waits for when the elevation ends: a worker, its turn, or its first step."""
    (tmp_path / "file").write_bytes(b"x" * 300_000)
    kinds = (
        {"type": "fs_list", "path": ""},
        {"type": "fs_glob", "pattern": "**"},
        {"type": "fs_read", "path": "file"},
        {"type": "fs_search", "query": "nothing"},
    )
    ann = await member(many, "ann", "viewer", may_elevate=may("operator"))
    for number in range(30):
        await elevate(ann)
        wanted = {f"{number}-{place}" for place in range(24)}
        for place in range(24):
            kind = kinds[(number + place) % len(kinds)]
            request = {**kind, "id": f"f{place}", "root": str(tmp_path)}
            await ann.send({**request, "request_id": f"{number}-{place}"})
        await lower(ann)
        while wanted:
            message = await ann.receive()
            if message.get("operation", "").startswith("fs_"):
                wanted.remove(message["request_id"])
                assert message.get("code") in (None, "FORBIDDEN"), message
    assert "Traceback" not in (many.home / "daemon.log").read_text()
