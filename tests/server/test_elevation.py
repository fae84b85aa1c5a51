"""Break-glass: who may be raised, who is told, and what ends with it."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.principals import administer, member, mint
from tests.server.raw import Raw

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Client, Daemon, Message

REASON = "INC-123: disk full"


@pytest.fixture
def many(own_daemon: Callable[..., Daemon]) -> Daemon:
    """Return a daemon with room for several clients."""
    return own_daemon("--max-clients", "16")


def may(role: str, seconds: float = 3600) -> Message:
    return {"role": role, "ttl_seconds": seconds}


async def raised(daemon: Daemon, name: str, own: str, to: str, **fields: Any) -> Client:
    """Create a token that may be raised; connect with it, and raise it."""
    client = await member(daemon, name, own, may_elevate=may(to), **fields)
    assert (await elevate(client))["type"] == "elevated"
    return client


async def elevate(client: Client, reason: str = REASON, **fields: Any) -> Message:
    return await client.ask({"type": "elevate", "reason": reason, **fields})


async def lower(client: Client) -> None:
    """End the elevation: the last request says for how long it lasts."""
    assert (await elevate(client, ttl_seconds=0.001))["type"] == "elevated"
    kept: list[Message] = []
    while True:
        message = await client.receive()
        if message["type"] == "notice" and "has ended" in message["message"]:
            client.aside = kept + client.aside
            return
        kept.append(message)


async def code(client: Client, kind: str, **fields: Any) -> str | None:
    """Send a message; return the code of the error that answers it, or None."""
    return (await client.ask({"type": kind, **fields})).get("code")


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


async def verbose_health(daemon: Daemon, token: str) -> Message:
    raw = await Raw.open(daemon)
    head = {"Host": "localhost", "Authorization": f"Bearer {token}"}
    answer = await raw.ask("/health?verbose", head)
    found: Message = json.loads(answer.body)
    return found


async def test_what_it_minted_ends_with_it(many: Daemon) -> None:
    ann = await raised(many, "ann", "operator", "admin")
    create = {"type": "create_token", "role": "operator"}
    answer = await ann.ask({**create, "name": "child"})
    assert answer["code"] == "FORBIDDEN"
    assert "your elevation ends in" in answer["message"]
    assert (await ann.ask({**create, "name": "child", "ttl_seconds": 2000}))["code"] == "FORBIDDEN"
    answer = await ann.ask({**create, "name": "child", "ttl_seconds": 60})
    assert answer["type"] == "token_created"


async def test_revocation_ends_it(many: Daemon) -> None:
    ann = await raised(many, "ann", "operator", "admin")
    await ann.close()
    assert (await verbose_health(many, many.token))["elevated"] != []
    assert (await administer(many, "revoke_token", name="ann"))["type"] == "ack"
    assert (await verbose_health(many, many.token))["elevated"] == []


async def test_a_restart_ends_it(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    token = await mint(daemon, "ann", "operator", may_elevate=may("admin"))
    ann = await daemon.client("a", token=token)
    await elevate(ann)
    await asyncio.to_thread(daemon.stop)
    daemon = own_daemon(home=daemon.home)
    ann = await daemon.client("a", token=token)
    assert ann.status["principal"]["role"] == "operator"
    assert await code(ann, "list_clients") == "FORBIDDEN"


async def test_a_reload_changes_nothing(many: Daemon) -> None:
    ann = await raised(many, "ann", "operator", "admin")
    assert (await administer(many, "reload"))["type"] == "ack"
    assert await code(ann, "list_clients") is None


@pytest.mark.long
async def test_up_and_down_many_times(many: Daemon) -> None:
    """However short it is, it ends, and its end is told."""
    ann = await member(many, "ann", "viewer", may_elevate=may("admin"))
    for _ in range(100):
        await lower(ann)
        assert await code(ann, "list_clients") == "FORBIDDEN"
    assert (await verbose_health(many, many.token))["elevated"] == []
