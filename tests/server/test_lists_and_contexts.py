"""Lists of jobs and sessions, and contexts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shellwire.jobs.model import COMMAND_SHOWN

if TYPE_CHECKING:
    from tests.live import Client, Daemon


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


async def test_recent_output_is_cut_at_newlines_alone(client: Client) -> None:
    session = await client.session(command=r"printf '1%%\r2%%\f3%%\n\ndone'; cat")
    await client.output_until(session, "done")
    listed = (await client.ask({"type": "list_sessions"}))["sessions"]
    (entry,) = (each for each in listed if each["id"] == session)
    assert entry["recent_output"] == ["1%\r2%\f3%\n", "\n", "done"]


async def test_lists_show_no_more_of_a_command_than_fits(client: Client) -> None:
    ran = await client.run(": " + "x" * 1_000_000)
    assert ran.code == 0
    jobs = (await client.ask({"type": "list_jobs"}))["jobs"]
    (shown,) = (job["command"] for job in jobs if job["id"] == ran.last["id"])
    assert len(shown) == COMMAND_SHOWN


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


async def test_get_context_creates_no_context(client: Client) -> None:
    for number in range(100):
        answer = await client.ask({"type": "get_context", "context": f"typo-{client.id}-{number}"})
        assert answer["type"] == "context_state"
    assert (await client.run("echo made", context=f"one-{client.id}")).out == "made\n"


async def test_a_session_that_cannot_start_answers_its_request(client: Client) -> None:
    answer = await client.ask({"type": "start_session", "id": "s", "cwd": "/nonexistent"})
    assert (answer["type"], answer["reason"]) == ("session_ended", "spawn_failed")
