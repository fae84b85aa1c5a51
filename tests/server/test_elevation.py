"""Break-glass: who may be raised, who is told, and what ends with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.server.elevation import REASON, code, elevate, lower, may, raised, verbose_health
from tests.server.principals import member, mint

if TYPE_CHECKING:
    from tests.live import Daemon


async def test_who_may_be_raised(many: Daemon) -> None:
    plain = await member(many, "plain", "operator")
    owner = await many.client("o")
    local = await many.client("l", local=True)
    for client in (plain, owner, local):
        assert (await elevate(client))["code"] == "FORBIDDEN"
    ann = await member(many, "ann", "operator", may_elevate=may("admin", 600))
    for fields, wrong in (
        ({"role": "viewer"}, "FORBIDDEN"),
        ({"role": "owner"}, "INVALID_MESSAGE"),
        ({"ttl_seconds": 601}, "FORBIDDEN"),
        ({"ttl_seconds": 86_401}, "INVALID_MESSAGE"),
        ({"ttl_seconds": 0}, "INVALID_MESSAGE"),
        ({"reason": "1234567"}, "INVALID_MESSAGE"),
        ({"reason": "   1234567   "}, "INVALID_MESSAGE"),
        ({"reason": "x" * 201}, "INVALID_MESSAGE"),
        ({"reason": None}, "INVALID_MESSAGE"),
    ):
        answer = await ann.ask({"type": "elevate", "reason": REASON, **fields})
        assert answer["code"] == wrong, (fields, answer)
    assert await code(ann, "list_clients") == "FORBIDDEN"
    before = time.time()
    answer = await elevate(ann, role="admin", ttl_seconds=60)
    assert before + 59 < answer["expires_at"] <= time.time() + 60
    assert answer["role"] == "admin"
    assert await code(ann, "list_clients") is None
    # Without a time: half an hour, or what it may, if that is less.
    assert (await elevate(ann))["expires_at"] <= time.time() + 600
    bob = await member(many, "bob", "viewer", may_elevate=may("operator", 7200))
    assert time.time() + 1700 < (await elevate(bob))["expires_at"] <= time.time() + 1800


async def test_it_ends_no_later_than_the_credential(many: Daemon) -> None:
    ann = await member(many, "ann", "viewer", may_elevate=may("admin"), ttl_seconds=300)
    limit = ann.status["principal"]["expires_at"]
    assert (await elevate(ann, ttl_seconds=3600))["expires_at"] == limit


async def test_all_connections_of_the_credential_and_no_others(many: Daemon) -> None:
    token = await mint(many, "ann", "operator", may_elevate=may("admin"))
    same = await mint(many, "ann-2", "operator", principal="ann", may_elevate=may("admin"))
    first, second = [await many.client(name, token=token) for name in ("a", "b")]
    other = await many.client("c", token=same)
    await elevate(first)
    later = await many.client("d", token=token)
    for client, expected in ((first, None), (second, None), (later, None), (other, "FORBIDDEN")):
        assert await code(client, "list_clients") == expected
    assert later.status["principal"]["role"] == "admin"
    assert later.status["principal"]["elevated"]["own_role"] == "operator"
    assert later.status["principal"]["elevated"]["reason"] == REASON
    await lower(first)
    for client in (first, second, later, other):
        assert await code(client, "list_clients") == "FORBIDDEN"
    after = await many.client("e", token=token)
    assert after.status["principal"]["role"] == "operator"
    assert "elevated" not in after.status["principal"]


async def test_who_is_told(many: Daemon) -> None:
    owner = await many.client("o")
    local = await many.client("l", local=True)
    admin = await member(many, "boss", "admin")
    outsiders = [await member(many, name, name) for name in ("operator", "viewer")]
    ann = await raised(many, "ann", "operator", "admin")
    for client in (owner, local, admin, ann):
        (*_, notice) = await client.until("notice", id=None)
        assert (notice["id"], notice["code"]) == (None, "ELEVATION")
        assert notice["message"].startswith("ann is raised from operator to admin until ")
        assert notice["message"].endswith(f": {REASON}")
    await lower(ann)
    for client in (owner, admin):
        while "the elevation of ann to admin has ended" not in notice["message"]:
            (*_, notice) = await client.until("notice", id=None)
    for client in outsiders:
        await client.ask({"type": "ping"})
        assert client.aside == []
    log = (many.home / "daemon.log").read_text()
    assert f"ann is raised from operator to admin until {time.strftime('%Y')}" in log
    assert REASON in log
    assert "the elevation of ann to admin has ended" in log


async def test_a_reason_can_forge_no_line_of_the_log(many: Daemon) -> None:
    ann = await member(many, "ann", "operator", may_elevate=may("admin"))
    await elevate(ann, "nothing\nERROR forged \x1b[2J")
    log = (many.home / "daemon.log").read_text()
    assert r"nothing\nERROR forged \x1b[2J" in log
    assert "\nERROR forged" not in log


async def test_jobs_and_health_mark_it(many: Daemon) -> None:
    ann = await raised(many, "ann", "operator", "admin")
    await ann.run("true", id="raised")
    verbose = await verbose_health(many, many.token)
    (entry,) = verbose["elevated"]
    assert (entry["principal"], entry["token"], entry["reason"]) == ("ann", "ann", REASON)
    assert (entry["own_role"], entry["role"]) == ("operator", "admin")
    numbers = await mint(many, "numbers", "metrics")
    assert (await verbose_health(many, numbers))["elevated"] == 1
    await lower(ann)
    await ann.run("true", id="plain")
    jobs = (await ann.ask({"type": "list_jobs"}))["jobs"]
    assert {job["id"]: job.get("elevated", False) for job in jobs} == {
        "raised": True,
        "plain": False,
    }
    assert (await verbose_health(many, many.token))["elevated"] == []
