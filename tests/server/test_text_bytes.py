"""Bytes that are not UTF-8 in commands, directories, variables and contexts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.live import Client, Daemon


@pytest.fixture
async def with_bytes(daemon: Daemon) -> AsyncIterator[Client]:
    """Yield a client with ``text: "bytes"``."""
    client = await daemon.client(text="bytes")
    yield client
    await client.close()


async def test_a_command_its_input_and_its_variables(with_bytes: Client) -> None:
    client = with_bytes
    assert "text_bytes" in client.status["features"]
    ran = await client.run("printf '\uefff\ueffe%s' \"$A\" | od -An -tx1", env={"A": "\uefe9é"})
    assert ran.out.split() == ["ff", "fe", "e9", "c3", "a9"]
    ran = await client.run("od -An -tx1", stdin_data="\uef80\0")
    assert ran.out.split() == ["80", "00"]
    literal = "\uefee\uefbe\uef80"  # U+EF80 itself: its three bytes
    ran = await client.run(f"printf %s {literal} | od -An -tx1")
    assert ran.out.split() == ["ee", "be", "80"]


async def test_without_it_the_characters_are_themselves(client: Client) -> None:
    ran = await client.run("printf %s \uefff | od -An -tx1", env={"A": "\uefff"})
    assert ran.out.split() == ["ee", "bf", "bf"]


async def test_a_directory_wherever_it_is_repeated(
    with_bytes: Client, client: Client, tmp_path: Path
) -> None:
    os.mkdir(os.fsencode(tmp_path) + b"/caf\xe9")
    where = f"{tmp_path}/caf\uefe9"
    ran = await with_bytes.run("pwd | od -An -c", cwd=where)
    assert "351" in ran.out
    context = f"c\uefe9-{os.getpid()}"
    ran = await with_bytes.run("export A=$(printf '\\376')", context=context)
    ran = await with_bytes.run(f"cd {where}", context=context)
    assert ran.last["cwd"] == where
    state = await with_bytes.ask({"type": "get_context", "context": context})
    assert (state["context"], state["cwd"], state["env"]["A"]) == (context, where, "\ueffe")
    job = await with_bytes.start("sleep 60", context=context)
    jobs = (await with_bytes.ask({"type": "list_jobs"}))["jobs"]
    found = next(each for each in jobs if each["id"] == job and each["state"] == "running")
    assert (found["context"], found["cwd"]) == (context, where)
    other = (await client.ask({"type": "list_jobs"}))["jobs"]
    seen = next(each for each in other if each["id"] == job and each["state"] == "running")
    assert seen["cwd"] == f"{tmp_path}/caf\ufffd"
    await with_bytes.send({"type": "kill_session", "id": job})
    await with_bytes.finish(job)


async def test_notices_and_errors_repeat_it_too(with_bytes: Client, tmp_path: Path) -> None:
    gone = f"{tmp_path}/g\uefe9"
    ran = await with_bytes.run(f"mkdir {gone}; cd {gone}; rmdir {gone}")
    ran = await with_bytes.run("pwd")
    assert ran.of_type("notice")[0]["message"].startswith(f"{gone} is gone")
    ran = await with_bytes.run("pwd", cwd=f"{tmp_path}/n\uefe9")
    assert ran.last["error"] == f"cwd {tmp_path}/n\uefe9: there is no such directory"
    answer = await with_bytes.ask({"type": "set_context", "cwd": "/n\uefe9"})
    assert answer["message"].endswith("/n\uefe9")


@pytest.mark.parametrize("field", ["command", "cwd", "context", "stdin_data"])
async def test_a_lone_surrogate_is_refused_with_the_id(
    with_bytes: Client, client: Client, field: str
) -> None:
    for each in (with_bytes, client):
        ran = await each.run(**{"command": "true", "id": "bad", field: "\ud800"})
        assert (ran.last["code"], ran.last["operation"]) == ("INVALID_MESSAGE", "execute")
        assert field in ran.last["message"]
        if field != "stdin_data":
            ran = await each.run(**{"command": "true", "id": "bad", field: "\0"})
            assert ran.last["code"] == "INVALID_MESSAGE"
        assert (await each.run("echo on", id=f"free-{field}")).out == "on\n"


async def test_a_session_and_the_lists_of_sessions(with_bytes: Client, client: Client) -> None:
    job = await with_bytes.session(command="printf '\uefff'; read; exit 3")
    sessions = (await with_bytes.ask({"type": "list_sessions"}))["sessions"]
    assert "\uefff" in next(each["command"] for each in sessions if each["id"] == job)
    await with_bytes.send({"type": "send_input", "id": job, "data": "\n"})
    assert (await with_bytes.until("session_ended", id=job))[-1]["exit_code"] == 3
