"""The reason with which somebody ends a job reaches those who follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shellwire.jobs.model import EndedBy, Outcome
from shellwire.jobs.quota import Quota, Share
from shellwire.server import render
from tests.server.principals import member

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.jobs.job import Job
    from tests.live import Client, Daemon


@pytest.mark.parametrize("kind", ["kill_session", "cancel_command"])
async def test_of_a_command(client: Client, kind: str) -> None:
    job = await client.start("exec sleep 600")
    await client.send({"type": kind, "id": job, "reason": "  wrong host "})
    last = (await client.finish(job)).last
    assert last["reason"] == ("killed" if kind == "kill_session" else "cancelled")
    assert (last["message"], last["by"]) == ("wrong host", "owner")


async def test_of_a_session(client: Client) -> None:
    job = await client.session(command="cat", use_pty=True)
    await client.send({"type": "kill_session", "id": job, "reason": "maintenance"})
    last = (await client.until("session_ended", id=job))[-1]
    assert (last["reason"], last["message"], last["by"]) == ("killed", "maintenance", "owner")
    # A viewer that comes later is told as well.
    await client.ask({"type": "attach", "id": job})
    last = (await client.until("session_ended", id=job))[-1]
    assert (last["message"], last["by"]) == ("maintenance", "owner")


async def test_without_a_reason(client: Client) -> None:
    for fields in ({}, {"reason": None}, {"reason": ""}, {"reason": "  "}):
        job = await client.start("exec sleep 600")
        await client.send({"type": "kill_session", "id": job, **fields})
        last = (await client.finish(job)).last
        assert last["reason"] == "killed"
        assert "message" not in last
        assert "by" not in last


async def test_nobody_else_ends_a_job(client: Client) -> None:
    for ran in (
        await client.run("exit 3"),
        await client.run("exec sleep 600", timeout=0.01),
        await client.run("kill -TERM $$"),
    ):
        assert "by" not in ran.last
        assert "message" not in ran.last


@pytest.mark.parametrize("kind", ["kill_session", "cancel_command"])
async def test_of_a_queued_command(own_daemon: Callable[..., Daemon], kind: str) -> None:
    daemon = own_daemon("--max-processes", "1")
    client = await daemon.client()
    await client.start("exec sleep 600")
    for reason, message, by in (
        ("not today", "not today", "owner"),
        (None, "before it ran", None),
    ):
        job = await client.start("true")
        await client.until("command_queued", id=job)
        await client.send({"type": kind, "id": job, "reason": reason})
        last = (await client.until("error", id=job))[-1]
        assert (last["code"], last.get("by")) == ("CANCELLED", by)
        assert last["message"].endswith(message)


async def test_too_long_a_reason(client: Client) -> None:
    job = await client.start("exec sleep 600")
    for kind in ("kill_session", "cancel_command"):
        answer = await client.ask({"type": kind, "id": job, "reason": "x" * 201})
        assert (answer["code"], answer["message"][:7]) == ("INVALID_MESSAGE", "reason:")
    await client.send({"type": "cancel_command", "id": job, "reason": "é" * 200})
    assert (await client.finish(job)).last["message"] == "é" * 200


async def test_the_first_reason_counts(client: Client) -> None:
    job = await client.start("trap '' TERM; echo on; while :; do sleep 1; done")
    await client.output_until(job, "on")
    for reason in ("first", "second"):
        await client.ask({"type": "kill_session", "id": job, "reason": reason})
    assert (await client.finish(job)).last["message"] == "first"


async def test_whom_it_concerns_is_told_who(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-clients", "9")
    alice = await member(daemon, "alice")
    ann = await member(daemon, "ann", "admin")
    viewer = await member(daemon, "eve", "viewer")
    job = await alice.session(command="cat")
    await viewer.ask({"type": "attach", "id": job})
    await ann.ask({"type": "kill_session", "id": job, "reason": "upgrade"})
    for client in (alice, viewer):
        last = (await client.until("session_ended", id=job))[-1]
        assert (last["message"], last["by"]) == ("upgrade", "ann")
    # Without a reason he is told all the same.
    job = await alice.session(command="cat")
    await ann.ask({"type": "kill_session", "id": job})
    last = (await alice.until("session_ended", id=job))[-1]
    assert (last.get("message"), last["by"]) == (None, "ann")


class _Of:
    """The parts of a job that the name of who ended it depends on."""

    class key:
        principal = "alice"


def test_who_may_see_no_others_is_not_told_who() -> None:
    outcome = Outcome("killed", ended_by=EndedBy("ann", "upgrade"))
    job: Job = _Of()  # type: ignore[assignment]
    quota = Quota()
    for share, name in (
        (Share("guest", quota, sees_all=False), "another user"),
        (Share("alice", quota, sees_all=False), "ann"),
        (Share("ann", quota, sees_all=False), "ann"),
        (Share("eve", quota, sees_all=True), "ann"),
    ):
        assert render._ended_by(job, outcome, share) == name
