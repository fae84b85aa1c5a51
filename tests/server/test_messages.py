"""Every message is answered as the wire says: ids, acks, errors, lists, contexts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, get_args

import pytest

from shellwire.protocol.messages import ClientMessage
from shellwire.server import render
from shellwire.server.handlers import _HANDLERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Client, Daemon, Message

ABSENT: list[Message] = [
    {"type": "cancel_command", "id": "none"},
    {"type": "kill_session", "id": "none"},
    {"type": "signal", "id": "none", "signal": "INT"},
    {"type": "send_input", "id": "none", "data": ""},
    {"type": "resize", "id": "none", "cols": 80, "rows": 24},
]
CODES = ["NOT_FOUND", "SESSION_NOT_FOUND", "NOT_FOUND", "SESSION_ERROR", "SESSION_ERROR"]


async def answer(client: Client, message: Message) -> Message:
    """Send a message and return the next one that comes."""
    await client.send(message)
    return await client.receive()


def test_there_is_a_handler_for_each() -> None:
    assert set(_HANDLERS) == set(get_args(ClientMessage))


# Ids ---------------------------------------------------------------------------------------------

QUESTIONS = {
    "ping": "pong",
    "list_sessions": "sessions_list",
    "list_jobs": "jobs_list",
    "list_clients": "clients_list",
    "get_context": "context_state",
    "set_context": "context_state",
    "reset_context": "context_state",
}


@pytest.mark.parametrize(("question", "kind"), QUESTIONS.items())
async def test_ids_return(client: Client, question: str, kind: str) -> None:
    for ids in ({}, {"id": "i"}, {"request_id": "r"}, {"id": "i", "request_id": "r"}):
        got = await answer(client, {"type": question, **ids})
        assert got["type"] == kind
        assert {name: got[name] for name in ("id", "request_id") if name in got} == ids


async def test_null_means_absent(client: Client) -> None:
    got = await answer(client, {"type": "ping", "id": None, "request_id": None, "other": [None]})
    assert got == {"type": "pong"}


@pytest.mark.parametrize(("message", "code"), list(zip(ABSENT, CODES, strict=True)))
async def test_errors_of_a_message_carry_its_ids(
    client: Client, message: Message, code: str
) -> None:
    got = await answer(client, message)
    assert (got["type"], got["code"], got["operation"]) == ("error", code, message["type"])
    assert (got["id"], got.get("request_id")) == ("none", None)
    got = await answer(client, {**message, "request_id": "r"})
    assert (got["code"], got["id"], got["request_id"]) == (code, "r", "r")
    # The id returns also when another field is the wrong one.
    got = await answer(client, {**message, "request_id": 7})
    assert (got["code"], got["id"], got.get("request_id")) == ("INVALID_MESSAGE", "none", None)
    got = await answer(client, {**message, "id": "x" * 129})
    assert (got["code"], got["id"]) == ("INVALID_MESSAGE", None)


async def test_unknown_types(client: Client) -> None:
    for kind in ("status", "pong", "Ping", "attach!", "", "x" * 1000):
        got = await answer(client, {"type": kind, "id": "i", "request_id": "r"})
        assert (got["code"], got["id"], got["request_id"]) == ("UNKNOWN_TYPE", "r", "r")
        assert got["operation"] == kind[:64]
    for kind in (None, 7, ["ping"]):
        got = await answer(client, {"type": kind, "id": "i"})
        assert (got["code"], got["id"], got.get("operation")) == ("INVALID_MESSAGE", "i", None)


async def test_acks_come_only_when_they_are_asked_for(client: Client) -> None:
    session = await client.session(command="cat", use_pty=True)
    accepted: list[Message] = [
        {"type": "send_input", "data": ""},
        {"type": "resize", "cols": 100, "rows": 30},
        {"type": "signal", "signal": "CONT"},
        {"type": "reload"},
    ]
    for message in accepted:
        message = {"id": session, **message}
        got = await client.ask(message)
        assert got["type"] == "ack"
        assert (got["id"], got["operation"]) == (got["request_id"], message["type"])
        await client.send(message)
    assert await answer(client, {"type": "ping"}) == {"type": "pong"}
    assert (await client.ask({"type": "kill_session", "id": session}))["type"] == "ack"
    await client.until("session_ended", id=session)


# Running -----------------------------------------------------------------------------------------


async def test_execute_answers_with_its_result(client: Client) -> None:
    got = await client.ask({"type": "execute", "id": "e", "command": "echo out; echo err >&2"})
    assert got["type"] == "result"
    assert got.keys() == {
        "type",
        "id",
        "request_id",
        "exit_code",
        "duration_ms",
        "error",
        "reason",
        "signal",
        "cwd",
        "committed",
        "bytes",
    }
    assert (got["id"], got["bytes"]) == ("e", {"stdout": 4, "stderr": 4})
    outputs = [m for m in client.aside if m["type"] == "output"]
    assert {m["stream"]: m["data"] for m in outputs} == {"stdout": "out\n", "stderr": "err\n"}
    assert max(m["end"] for m in outputs) == 8
    assert not any("request_id" in m for m in outputs)


async def test_collect_sends_no_output(client: Client) -> None:
    ran = await client.run("echo out; echo err >&2", collect=True)
    assert [m["type"] for m in ran.messages] == ["result"]
    last = ran.last
    assert (last["stdout"], last["stderr"], last["truncated"]) == ("out\n", "err\n", False)
    ran = await client.run("printf '\\377\\0'", collect=True, encoding="base64")
    assert ran.last["stdout"] == "/wA="
    ran = await client.run("printf '\\377\\0'", encoding="base64")
    assert ran.out == "/wA="


async def test_start_session_answers_with_its_pid(client: Client) -> None:
    got = await client.ask({"type": "start_session", "id": "s", "command": "exec sleep 100"})
    assert (got["type"], got["id"]) == ("session_started", "s")
    os.kill(got["pid"], 15)
    ended = (await client.until("session_ended", id="s"))[-1]
    assert (ended["exit_code"], ended["signal"], ended["reason"]) == (-15, "SIGTERM", "exited")


async def test_duplicates(daemon: Daemon, client: Client) -> None:
    await client.start("sleep 100", id="same")
    got = await answer(client, {"type": "execute", "id": "same", "command": ":"})
    assert (got["code"], got["id"], got["operation"]) == ("DUPLICATE_ID", "same", "execute")
    assert (await client.ask({"type": "cancel_command", "id": "same"}))["type"] == "ack"
    assert (await client.finish("same")).last["reason"] == "cancelled"
    got = await answer(client, {"type": "execute", "id": "same", "command": ":"})
    assert got["code"] == "DUPLICATE_ID"
    old = await daemon.client(protocol=None)
    for _ in range(2):
        assert (await old.run("echo again", id="counted")).out == "again\n"
    await old.close()


async def test_signals(client: Client) -> None:
    for name in ("INT", "SIGINT"):
        job = await client.start("sleep 100")
        assert (await client.ask({"type": "signal", "id": job, "signal": name}))["type"] == "ack"
        assert (await client.finish(job)).last["signal"] == "SIGINT"
    got = await client.ask({"type": "signal", "id": "any", "signal": "NOPE"})
    assert (got["code"], "signal" in got["message"]) == ("INVALID_MESSAGE", True)


# Lists -------------------------------------------------------------------------------------------


async def test_lists(client: Client) -> None:
    session = await client.session(command="echo seen; cat", use_pty=True, cols=90, rows=30)
    await client.output_until(session, "seen")
    jobs = {job["id"]: job for job in (await client.ask({"type": "list_jobs"}))["jobs"]}
    job = jobs[session]
    assert (job["kind"], job["state"], job["client_id"]) == ("session", "running", client.id)
    assert (job["is_pty"], job["cols"], job["rows"]) == (True, 90, 30)
    assert (job["ended_at"], job["exit_code"], job["reason"]) == (None, None, None)
    assert (job["pids"], job["context"], job["start"]) == ([job["pid"]], "default", 0)
    assert job["end"] >= len("seen\r\n")
    listed = (await client.ask({"type": "list_sessions"}))["sessions"]
    (entry,) = (each for each in listed if each["id"] == session)
    assert entry["recent_output"][0] == "seen\r\n"
    assert (entry["is_running"], entry["pid"], entry["is_pty"]) == (True, job["pid"], True)
    assert (entry["command"], entry["started_at"]) == (job["command"], job["started_at"])
    await client.ask({"type": "kill_session", "id": session})
    await client.until("session_ended", id=session)
    listed = (await client.ask({"type": "list_sessions"}))["sessions"]
    assert session not in [each["id"] for each in listed]


async def test_lists_show_no_more_of_a_command_than_fits(client: Client) -> None:
    ran = await client.run(": " + "x" * 1_000_000)
    assert ran.code == 0
    jobs = (await client.ask({"type": "list_jobs"}))["jobs"]
    (shown,) = (job["command"] for job in jobs if job["id"] == ran.last["id"])
    assert len(shown) == render.COMMAND_SHOWN


async def test_clients_of_an_owner_see_each_others_jobs(daemon: Daemon, client: Client) -> None:
    session = await client.session(command="cat")
    other = await daemon.client()
    assert session in [job["id"] for job in other.status["jobs"]]
    got = await other.ask({"type": "send_input", "id": session, "data": "hello\n"})
    assert got["type"] == "ack"
    await client.output_until(session, "hello\n")
    assert (await other.ask({"type": "kill_session", "id": session}))["type"] == "ack"
    await client.until("session_ended", id=session)
    assert not other.aside
    await other.close()


# Contexts ----------------------------------------------------------------------------------------


async def test_contexts(client: Client) -> None:
    got = await client.ask({"type": "set_context", "cwd": "/", "env": {"A": "1", "B": "é"}})
    assert (got["context"], got["cwd"], got["env"]["B"]) == ("default", "/", "é")
    got = await client.ask({"type": "set_context", "cwd": "usr", "unset": ["A"]})
    assert (got["cwd"], "A" in got["env"]) == ("/usr", False)
    assert (await client.run('echo "$PWD $B"')).out == "/usr é\n"
    got = await client.ask({"type": "get_context", "context": "other"})
    assert (got["context"], "B" in got["env"]) == ("other", False)
    got = await client.ask({"type": "reset_context"})
    assert "B" not in got["env"]


@pytest.mark.parametrize(
    "fields",
    [
        {"cwd": "/nowhere"},
        {"cwd": 7},
        {"env": {"A": 1}},
        {"env": {"": "x"}},
        {"env": {"A=B": "x"}},
        {"env": {"A": "\0"}},
        {"unset": "A"},
        {"unset": [""]},
        {"context": ""},
        {"context": "x" * 129},
    ],
)
async def test_wrong_contexts(client: Client, fields: dict[str, Any]) -> None:
    got = await client.ask({"type": "set_context", **fields})
    assert got["code"] == "INVALID_MESSAGE"
    assert got["message"].startswith(next(iter(fields)))


# Defects -----------------------------------------------------------------------------------------


async def test_a_defect_costs_one_message(patched_daemon: Callable[..., Daemon]) -> None:
    daemon = patched_daemon(
        """
        import shellwire.server.handlers as handlers
        from shellwire.protocol.messages import ListJobs
        def broken(connection, message):
            raise ZeroDivisionError("this is a defect")
        handlers._HANDLERS[ListJobs] = broken
        """
    )
    client = await daemon.client("curious")
    got = await answer(client, {"type": "list_jobs", "id": "i", "request_id": "r"})
    assert (got["code"], got["id"], got["operation"]) == ("INTERNAL_ERROR", "r", "list_jobs")
    assert (await client.run("echo on")).out == "on\n"
    await client.close()
    log = (daemon.home / "daemon.log").read_text()
    assert "curious" in log
    assert "ZeroDivisionError: this is a defect" in log
