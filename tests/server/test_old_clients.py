"""Clients of release 0.1.4, without ``protocol: 1``: explanations in output, and ids."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.live import Client, Daemon

LIMIT = "\n[shellwire] Output truncated at 1000 bytes\n"


def _late(seconds: str) -> str:
    return f"\n[shellwire] Command timed out after {seconds}s\n"


@pytest.fixture
async def old(daemon: Daemon) -> AsyncIterator[Client]:
    """Yield a client without ``protocol`` in its ``auth``."""
    client = await daemon.client(protocol=None)
    yield client
    await client.close()


@pytest.mark.parametrize(("seconds", "written"), [(1, "1"), (0.5, "0.5"), (1.0, "1.0")])
async def test_a_timeout_is_explained_as_it_was_written(
    old: Client, seconds: float, written: str
) -> None:
    ran = await old.run("echo out; echo err >&2; sleep 98765", timeout=seconds)
    line, result = ran.messages[-2:]
    assert (line["type"], line["stream"], line["data"]) == ("output", "stderr", _late(written))
    assert (result["reason"], result["bytes"]) == ("timed_out", {"stdout": 4, "stderr": 4})
    # Its offset is the end of the job's output, of which it is not a part.
    assert line["end"] == 8
    page = await old.ask({"type": "read_output", "id": ran.last["id"]})
    assert ("".join(each["data"] for each in page["chunks"]).count("shellwire"), page["end"]) == (
        0,
        8,
    )


@pytest.mark.parametrize("fields", [{}, {"is_pty": True}, {"encoding": "base64"}], ids=str)
async def test_an_output_limit_is_explained(old: Client, fields: dict[str, object]) -> None:
    ran = await old.run("yes", max_output_bytes=1000, **fields)
    *_, before, line, result = ran.messages
    text = line["data"]
    if "encoding" in fields:
        text = base64.b64decode(text).decode()
    assert (line["stream"], text, line["end"]) == ("stderr", LIMIT, before["end"])
    assert (result["reason"], sum(result["bytes"].values())) == ("output_limit", line["end"])


async def test_other_viewers_get_no_explanation(
    daemon: Daemon, old: Client, client: Client
) -> None:
    # Neither another old client, nor one with `protocol: 1`.
    other = await daemon.client(protocol=None)
    job = await old.start("echo up; sleep 98765", timeout=0.7)
    for each in (client, other):
        await each.ask({"type": "attach", "id": job})
    for each in (client, other):
        ran = await each.finish(job)
        assert (ran.out, ran.err, ran.last["reason"]) == ("up\n", "", "timed_out")
    assert (await old.finish(job)).err == _late("0.7")
    assert (await client.run("sleep 98765", timeout=0.1)).err == ""
    await other.close()


@pytest.mark.parametrize("fields", [{"collect": True, "timeout": 0.1}, {"timeout": 0}], ids=str)
async def test_other_endings_are_not_explained(old: Client, fields: dict[str, object]) -> None:
    job = await old.start("echo up; sleep 98765", **fields)
    if "collect" not in fields:
        await old.output_until(job, "up\n")
        await old.send({"type": "cancel_command", "id": job})
    assert [each["type"] for each in (await old.finish(job)).messages] == ["result"]


async def test_the_id_of_a_live_session(old: Client, client: Client) -> None:
    for each, code in ((old, "SESSION_ERROR"), (client, "DUPLICATE_ID")):
        session = await each.session(command="cat")
        refused = await each.ask({"type": "start_session", "id": session})
        assert (refused["code"], refused["operation"]) == (code, "start_session")
        # The error does not end the live session.
        await each.send({"type": "send_input", "id": session, "data": "on\n"})
        await each.output_until(session, "on\n")
        await each.send({"type": "kill_session", "id": session})
        await each.until("session_ended", id=session)
    job = await old.start("sleep 98765")
    assert (await old.ask({"type": "start_session", "id": job}))["code"] == "DUPLICATE_ID"
    await old.send({"type": "cancel_command", "id": job})
    await old.finish(job)


async def test_max_sessions(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-processes", "1", "--max-sessions", "2", "--max-queue", "0")
    client = await daemon.client()
    assert client.status["limits"]["max_sessions"] == 2
    sessions = [await client.session(id=f"s{number}", command="cat") for number in range(2)]
    refused = await client.ask({"type": "start_session", "id": "s2"})
    assert refused["code"] == "TOO_MANY_PROCESSES"
    assert "--max-sessions" in refused["message"]
    assert all(f"{each} (`cat`" in refused["message"] for each in ("s0", "s1"))
    # Commands have slots of their own; the error names only their holders.
    job = await client.start("echo up; sleep 98765", id="c0")
    await client.output_until(job, "up")
    refused = await client.ask({"type": "execute", "id": "c1", "command": ":"})
    assert (refused["code"], "c0" in refused["message"]) == ("QUEUE_FULL", True)
    assert "s0" not in refused["message"]
    await client.send({"type": "kill_session", "id": sessions[0]})
    await client.until("session_ended", id=sessions[0])
    sessions[0] = await client.session(id="s3", command="cat")
    for each in (*sessions, job):
        await client.send({"type": "kill_session", "id": each})
    await client.close()


async def test_sessions_count_in_max_processes_by_default(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon("--max-processes", "1", "--grace", "0")
    client = await daemon.client()
    assert client.status["limits"]["max_sessions"] is None
    session = await client.session(command="cat")
    job = await client.start("echo ran")
    assert (await client.until("command_queued", id=job))[-1]["position"] == 1
    await client.send({"type": "kill_session", "id": session})
    assert (await client.finish(job)).out == "ran\n"
    await client.close()
