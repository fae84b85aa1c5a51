"""Principals: whose the jobs, ids, names, contexts and clients are, and who sees them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.live import PATIENCE
from tests.server.observe import cli
from tests.server.principals import administer, member, mint, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Client, Daemon, Message


@pytest.fixture
def many(own_daemon: Callable[..., Daemon]) -> Daemon:
    """Return a daemon with room for several clients."""
    return own_daemon("--max-clients", "9")


async def test_the_owner_is_named_in_status(daemon: Daemon, client: Client) -> None:
    owner = {"name": "owner", "role": "owner", "expires_at": None}
    assert client.status["principal"] == {**owner, "via": "token"}
    local = await daemon.client(local=True)
    assert local.status["principal"] == {**owner, "via": "socket"}
    await local.close()


async def test_one_client_id_under_two_principals(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()  # one client each: nobody's client shuts out another's
    owner = await daemon.client("laptop")
    alice = await member(daemon, "alice", client_id="laptop")
    # Neither takes over from the other, and the id 1 is each one's own.
    for client, word in ((owner, "owner"), (alice, "alice")):
        assert (await client.run(f"x={word}; echo $x", id="1")).out == f"{word}\n"
    # Each has a default context of its own.
    assert (await owner.run("echo $x")).out == "owner\n"
    assert (await alice.run("echo $x")).out == "alice\n"
    again = await alice.run("echo twice", id="1")
    assert again.last["code"] == "DUPLICATE_ID"
    listed = json.loads(cli(daemon, "clients", "list", "--json"))
    assert [(each.get("principal", "owner"), each["client_id"]) for each in listed] == [
        ("owner", "laptop"),
        ("alice", "laptop"),
    ]
    # Revoking one of the two does not concern the other.
    cli(daemon, "clients", "revoke", "laptop", "--principal", "alice")
    assert await alice.closed() == (1008, "this client was revoked")
    assert (await owner.run("echo still")).out == "still\n"
    assert json.loads((daemon.home / "clients.json").read_text()).keys() == {
        "laptop",
        "alice\0laptop",
    }
    await owner.close()


async def test_a_viewer_does_not_replace_an_operators_client(many: Daemon) -> None:
    """Its leaving would end the jobs that are to end with the operator's client."""
    ann = await member(many, "ann", "operator", client_id="laptop")
    job = await ann.start("exec sleep 600", on_disconnect="kill")
    viewer = await mint(many, "ann-view", "viewer", principal="ann")
    assert await refused(many, viewer, "laptop") == ("CLIENT_REJECTED", 4006)
    assert (await ann.ask({"type": "list_jobs"}))["jobs"][0]["state"] == "running"
    also = await many.client("screen", token=viewer)
    again = await many.client("screen", token=viewer)
    assert (await also.closed())[0] == 4000
    await ann.send({"type": "kill_session", "id": job})
    await ann.finish(job)
    for client in (ann, again):
        await client.close()


async def test_lists_and_counts_show_what_the_role_may_see(many: Daemon) -> None:
    alice = await member(many, "alice")
    await alice.session(id="hers", command="cat")
    seen = {}
    for name, role in (
        ("bob", "operator"),
        ("eve", "viewer"),
        ("sum", "metrics"),
        ("ann", "admin"),
    ):
        client = await member(many, name, role)
        status = client.status
        seen[role] = ([job["id"] for job in status["jobs"]], status["active_sessions"])
        if role != "metrics":
            jobs = (await client.ask({"type": "list_jobs"}))["jobs"]
            sessions = (await client.ask({"type": "list_sessions"}))["sessions"]
            assert [job["id"] for job in jobs] == seen[role][0]
            assert [each["id"] for each in sessions] == seen[role][0]
        await client.close()
    hers = (["hers"], 1)
    assert seen == {"operator": ([], 0), "viewer": hers, "metrics": ([], 0), "admin": hers}
    await alice.close()


async def test_another_operators_work_does_not_exist(many: Daemon) -> None:
    alice = await member(many, "alice")
    await alice.session(id="hers", command="cat", name="build")
    await alice.run("secret=1", context="work")
    bob = await member(many, "bob")
    requests: list[Message] = [
        {"type": "attach"},
        {"type": "read_output"},
        {"type": "kill_session"},
        {"type": "signal", "signal": "INT"},
        {"type": "send_input", "data": "x"},
        {"type": "resize", "cols": 1, "rows": 1},
        {"type": "cancel_command"},
        {"type": "credit", "end": 0},
    ]
    for request in requests:
        answers = []
        for job in ("hers", "her", "build", "none"):
            answer = await bob.ask({**request, "id": job})
            assert answer["type"] == "error"
            answers.append(answer["code"] + answer["message"].replace(f" {job}", " JOB"))
        assert len(set(answers)) == 1, answers
    # Ids and names are free for him, and so is a context of that name.
    await bob.session(id="hers", command="cat", name="build")
    assert (await bob.run("echo ${secret-none}", context="work")).out == "none\n"
    state = await bob.ask({"type": "get_context", "context": "alice/work"})
    assert "secret" not in state["env"]
    jobs = (await bob.ask({"type": "list_jobs"}))["jobs"]
    assert {job["principal"] for job in jobs} == {"bob"}
    await bob.close()
    await alice.close()


async def test_owner_and_admin_reach_all(many: Daemon) -> None:
    alice = await member(many, "alice")
    await alice.session(id="hers", command="cat")
    await alice.run("x=alices", context="work")
    for client in (await many.client(), await member(many, "ann", "admin")):
        assert (await client.ask({"type": "attach", "id": "hers"}))["type"] == "attached"
        ran = await client.run("echo $x", context="alice/work", id=f"in-{client.id}")
        assert ran.out == "alices\n"
        # Without the principal it is a context of one's own.
        assert (await client.run("echo ${x-unset}", context="work")).out == "unset\n"
        answer = await client.ask(
            {"type": "set_context", "context": "alice/work", "env": {"y": "2"}}
        )
        assert answer["context"] == "alice/work"
        error = await client.ask({"type": "get_context", "context": "alice/default"})
        assert (error["code"], error["message"]) == (
            "INVALID_MESSAGE",
            "context: expected a named context of alice",
        )
        # A slash is a character like any other where there is no such principal.
        await client.run("z=1", context="feature/z")
        assert (await client.run("echo $z", context="feature/z")).out == "1\n"
        jobs = (await client.ask({"type": "list_jobs"}))["jobs"]
        assert {"alice/work"} == {job["context"] for job in jobs if job["id"] == f"in-{client.id}"}
        await client.close()
    assert (await alice.run("echo $y", context="work")).out == "2\n"
    await alice.close()


async def test_an_own_id_comes_before_anothers(many: Daemon) -> None:
    alice = await member(many, "alice")
    await alice.run("echo alice", id="same")
    owner = await many.client()
    assert (await owner.ask({"type": "read_output", "id": "same"}))["chunks"][0][
        "data"
    ] == "alice\n"
    await owner.run("echo owner", id="same")
    assert (await owner.ask({"type": "read_output", "id": "same"}))["chunks"][0][
        "data"
    ] == "owner\n"
    await alice.close()
    await owner.close()


async def test_a_viewer_reads_all_and_does_nothing(many: Daemon) -> None:
    owner = await many.client()
    await owner.session(id="typed", command="cat", use_pty=True)
    eve = await member(many, "eve", "viewer")
    assert (await eve.ask({"type": "attach", "id": "typed"}))["type"] == "attached"
    await owner.send({"type": "send_input", "id": "typed", "data": "hello\n"})
    await eve.output_until("typed", "hello")
    forbidden: list[Message] = [
        {"type": "execute", "id": "x", "command": "echo x"},
        {"type": "start_session", "id": "x"},
        {"type": "send_input", "id": "typed", "data": "x"},
        {"type": "resize", "id": "typed", "cols": 10, "rows": 10},
        {"type": "signal", "id": "typed", "signal": "INT"},
        {"type": "kill_session", "id": "typed"},
        {"type": "cancel_command", "id": "typed"},
        {"type": "get_context"},
        {"type": "fs_read", "id": "f", "root": "/", "path": "etc/passwd"},
        {"type": "stat_directory", "path": "/"},
        {"type": "create_token", "name": "eve2", "role": "viewer"},
        {"type": "list_clients"},
    ]
    for request in forbidden:
        answer = await eve.ask(request)
        assert answer["code"] == "FORBIDDEN", request
        assert answer["message"] == f"the role viewer may not send {request['type']}"
    await eve.close()
    await owner.close()


async def test_a_viewer_that_does_not_read_stops_nobody(many: Daemon) -> None:
    """Its attach is no reason to stop reading from a process: else it could stall jobs."""
    owner = await many.client()
    job = await owner.start("read x; head -c 8000000 /dev/zero; echo end >&2", open_stdin=True)
    await owner.ask({"type": "detach", "id": job})
    eve = await member(many, "eve", "viewer")
    # She acknowledges nothing, so an operator's viewer would stop the job after 1,000 bytes.
    await eve.ask({"type": "attach", "id": job, "window": 1000, "encoding": "base64"})
    await owner.send({"type": "send_input", "id": job, "data": "\n"})
    page = await owner.ask({"type": "read_output", "id": job, "wait_ms": 120_000, "until": "end"})
    while page["exit_code"] is None:
        page = await owner.ask(
            {"type": "read_output", "id": job, "after": page["end"], "wait_ms": 120_000}
        )
    assert page["exit_code"] == 0
    await eve.close()
    await owner.close()


async def test_a_home_of_an_earlier_release_is_the_owners(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon()
    owner = await daemon.client("old")
    await owner.session(id="before", command="cat")
    file = daemon.home / "jobs.journal"
    daemon.process.kill()
    daemon.process.communicate(timeout=PATIENCE)
    # As release 0.1.4 and 0.2 wrote it: without a principal.
    lines = file.read_text().splitlines()
    file.write_text("\n".join(line.replace(',"owner"]', "]") for line in lines))
    assert '"owner"' not in file.read_text()
    again = own_daemon(home=daemon.home)
    back = await again.client("old")
    assert [(job["id"], job["principal"]) for job in back.status["jobs"]] == [("before", "owner")]
    await back.close()


async def test_a_lost_job_keeps_its_principal(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    token = await mint(daemon, "alice")
    alice = await daemon.client("a", token=token)
    await alice.session(id="lost", command="cat")
    daemon.process.kill()
    daemon.process.communicate(timeout=PATIENCE)
    again = own_daemon(home=daemon.home)
    alice = await again.client("a", token=token)
    assert [(job["id"], job["reason"]) for job in alice.status["jobs"]] == [("lost", "lost")]
    assert (await member(again, "bob")).status["jobs"] == []
    await alice.close()


async def test_a_new_principal_does_not_inherit(many: Daemon) -> None:
    """A name that was somebody's is given to another only on purpose: jobs of his remain."""
    alice = await member(many, "alice")
    await alice.run("echo hers", context="work")
    await administer(many, "revoke_token", name="alice")
    answer = await administer(many, "create_token", name="alice", role="operator")
    assert answer["code"] == "INVALID_MESSAGE"
    assert "principal: alice exists already" in answer["message"]
    again = await member(many, "alice", principal="alice")
    assert again.status["principal"]["name"] == "alice"
    await again.close()
