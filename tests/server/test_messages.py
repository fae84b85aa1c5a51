"""Answers to messages: ids, acks, errors, results."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, get_args

import pytest

from shellwire.protocol.messages import ClientMessage
from shellwire.server.handlers.dispatch import HANDLERS

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
    """Send a message and return the next one received."""
    await client.send(message)
    return await client.receive()


def test_every_message_has_a_handler() -> None:
    assert set(HANDLERS) == set(get_args(ClientMessage))


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
    # The id is returned even if another field is invalid.
    got = await answer(client, {**message, "request_id": 7})
    assert (got["code"], got["id"], got.get("request_id")) == ("INVALID_MESSAGE", "none", None)
    got = await answer(client, {**message, "id": "x" * 129})
    assert (got["code"], got["id"]) == ("INVALID_MESSAGE", None)


async def test_unknown_types(client: Client) -> None:
    for kind in ("status", "pong", "Ping", "attach!", "", "x" * 1000):
        got = await answer(client, {"type": kind, "id": "i", "request_id": "r"})
        assert (got["code"], got["id"], got["request_id"]) == ("UNKNOWN_TYPE", "r", "r")
        assert got["operation"] == kind[:64]
    for wrong in (None, 7, ["ping"]):
        got = await answer(client, {"type": wrong, "id": "i"})
        assert (got["code"], got["id"], got.get("operation")) == ("INVALID_MESSAGE", "i", None)


async def test_acks_need_a_request_id(client: Client) -> None:
    session = await client.session(command="cat", use_pty=True)
    client.aside.clear()
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
        # By then no shell is about to fork: it may lose a signal between fork and exec.
        job = await client.start("sh -c 'echo ready; exec sleep 100'; :")
        await client.output_until(job, "ready")
        assert (await client.ask({"type": "signal", "id": job, "signal": name}))["type"] == "ack"
        assert (await client.finish(job)).last["signal"] == "SIGINT"
    got = await client.ask({"type": "signal", "id": "any", "signal": "NOPE"})
    assert (got["code"], "signal" in got["message"]) == ("INVALID_MESSAGE", True)


# Defects -----------------------------------------------------------------------------------------


async def test_a_defect_fails_one_message_only(patched_daemon: Callable[..., Daemon]) -> None:
    daemon = patched_daemon(
        """
        from shellwire.server.handlers.dispatch import HANDLERS
        from shellwire.protocol.messages import ListJobs
        def broken(connection, message):
            raise ZeroDivisionError("this is a defect")
        HANDLERS[ListJobs] = broken
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
