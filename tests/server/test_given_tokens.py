"""Tokens of others: who may create which, how they end, and what ends with them."""

from __future__ import annotations

import asyncio
import json
import stat
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.principals import administer, member, mint, refused
from tests.server.raw import Raw

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live import Client, Daemon


@pytest.fixture
def many(own_daemon: Callable[..., Daemon]) -> Daemon:
    """Return a daemon with room for several clients."""
    return own_daemon("--max-clients", "9")


async def create(client: Client, name: str, role: str = "operator", **fields: Any) -> str | None:
    """Create a token; return the code of the error, or None."""
    answer = await client.ask({"type": "create_token", "name": name, "role": role, **fields})
    return answer.get("code")


def exists(path: Path) -> bool:
    return path.exists()


async def names(daemon: Daemon) -> list[str]:
    return [each["name"] for each in (await administer(daemon, "list_tokens"))["tokens"]]


async def test_the_file_has_no_token(many: Daemon) -> None:
    token = await mint(many, "ci", "operator", ttl_seconds=3600, reason="tests")
    assert token.startswith("sw1_ci_")
    file = many.home / "tokens.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert token not in file.read_text()
    assert token[-52:] not in file.read_text()
    (entry,) = json.loads(file.read_text())["tokens"]
    assert len(entry["sha256"]) == 64
    assert token not in (many.home / "daemon.log").read_text()
    (info,) = (await administer(many, "list_tokens"))["tokens"]
    assert info.keys().isdisjoint({"sha256", "id"})
    assert info["expires_at"] - info["created_at"] == pytest.approx(3600)
    # Every character counts.
    wrong = token[:-1] + ("a" if token[-1] != "a" else "b")
    for given in (wrong, token + "a", token[:-1], token.replace("sw1_ci", "sw1_cj"), ""):
        assert await refused(many, given) == ("INVALID_TOKEN", 4005)
    # A restart changes nothing.
    client = await many.client("c", token=token)
    await client.close()


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": "owner"}, "name: owner is reserved"),
        ({"principal": "owner"}, "principal: owner is reserved"),
        ({"name": "Upper"}, "name: expected a name of 1 to 32 characters"),
        ({"name": "-x"}, "name: expected a name"),
        ({"name": "x\n"}, "name: expected a name"),
        ({"name": "x" * 33}, "name: expected a name"),
        ({"name": "a/b"}, "name: expected a name"),
        ({"role": "owner"}, 'role: expected "admin"'),
        ({"role": "guest-peer"}, 'role: expected "admin"'),
        ({"from": ["10.0.0.1/8"]}, "from: expected a network"),
        ({"from": ["here"]}, "from: expected a network"),
        ({"isolate": "magic"}, "isolate: expected native, bwrap"),
        ({"max_processes": 0}, "max_processes: expected"),
        ({"ttl_seconds": 0}, "ttl_seconds: expected"),
        ({"may_elevate": {"role": "owner", "ttl_seconds": 1}}, "may_elevate.role: expected"),
        ({"may_elevate": {"role": "admin", "ttl_seconds": 86401}}, "may_elevate.ttl_seconds"),
    ],
)
async def test_what_no_token_can_be(daemon: Daemon, fields: dict[str, Any], problem: str) -> None:
    request = {"name": "fine", "role": "viewer", **fields}
    answer = await administer(daemon, "create_token", **request)
    assert answer["code"] == "INVALID_MESSAGE"
    assert answer["message"].startswith(problem), answer["message"]


async def test_a_second_credential_needs_its_principal(many: Daemon) -> None:
    first = await member(many, "ci", "operator")
    again = await administer(many, "create_token", name="ci", role="viewer")
    assert again["message"] == "name: there is a token ci already"
    await mint(many, "nightly", principal="ci")
    other = await administer(many, "create_token", name="nightly-2", role="viewer", principal="ci")
    second = await many.client("second", token=other["token"])
    # One principal, two roles: the role belongs to the credential.
    await first.run("echo shared", id="job")
    assert [job["id"] for job in second.status["jobs"]] == []
    page = await second.ask({"type": "read_output", "id": "job"})
    assert page["chunks"][0]["data"] == "shared\n"
    assert (await second.ask({"type": "kill_session", "id": "job"}))["code"] == "FORBIDDEN"
    await first.close()
    await second.close()


async def test_nobody_mints_more_than_he_is(many: Daemon) -> None:
    limits: dict[str, Any] = {
        "ttl_seconds": 3600,
        "sources": ["127.0.0.0/8", "10.0.0.0/8"],
        "max_processes": 3,
    }
    ann = await member(many, "ann", "admin", **limits)
    within: dict[str, Any] = {"ttl_seconds": 60, "from": ["127.0.0.0/24"], "max_processes": 3}
    wider: list[dict[str, Any]] = [
        {"role": "admin"},
        {"may_elevate": {"role": "admin", "ttl_seconds": 60}},
        {"ttl_seconds": None},
        {"ttl_seconds": 3601},
        {"from": []},
        {"from": ["127.0.0.0/8", "192.168.0.0/16"]},
        {"from": ["0.0.0.0/0"]},
        {"from": ["::/0"]},
        {"max_processes": None},
        {"max_processes": 4},
    ]
    for changed in wider:
        assert await create(ann, "child", **{**within, **changed}) == "FORBIDDEN", changed
    assert await create(ann, "child", **within) is None
    assert await create(ann, "reader", "viewer", **within) is None
    # Isolation is inherited as it is.
    boxed = await member(many, "boxed", "admin", isolate="bwrap")
    for isolate in (None, "native", "docker:x"):
        assert await create(boxed, "free", isolate=isolate) == "FORBIDDEN"
    assert await create(boxed, "boxed-too", isolate="bwrap") is None
    # And others create none.
    for role in ("operator", "viewer", "metrics"):
        client = await member(many, f"a-{role}", role)
        assert await create(client, "x", "viewer") == "FORBIDDEN"
        await client.close()
    assert "x" not in await names(many)
    await ann.close()
    await boxed.close()


async def test_revoking_ends_what_it_minted(many: Daemon) -> None:
    ann = await member(many, "ann", "admin")
    child = (await ann.ask({"type": "create_token", "name": "child", "role": "operator"}))["token"]
    carl = await many.client("carl", token=child)
    session = await carl.session(command="cat")
    other = await member(many, "other")
    listed = (await administer(many, "list_tokens"))["tokens"]
    assert {each["name"]: each["minted_by"] for each in listed} == {
        "ann": None,
        "child": "ann",
        "other": None,
    }
    assert (await administer(many, "revoke_token", name="ann"))["type"] == "ack"
    assert await ann.closed() == (1008, "the token was revoked")
    assert await carl.closed() == (1008, "the token was revoked")
    assert await refused(many, child) == ("INVALID_TOKEN", 4005)
    assert await names(many) == ["other"]
    # Others are not concerned, and jobs go on.
    assert (await other.run("echo on")).out == "on\n"
    owner = await many.client()
    assert [job["id"] for job in owner.status["jobs"] if job["state"] == "running"] == [session]
    answer = await administer(many, "revoke_token", name="ann")
    assert (answer["code"], answer["message"]) == ("NOT_FOUND", "there is no token ann")
    await other.close()
    await owner.close()


async def test_kept_children_become_the_grandparents(many: Daemon) -> None:
    ann = await member(many, "ann", "admin")
    child = (await ann.ask({"type": "create_token", "name": "child", "role": "operator"}))["token"]
    carl = await many.client("carl", token=child)
    await administer(many, "revoke_token", name="ann", keep_children=True)
    assert (await ann.closed())[0] == 1008
    assert (await carl.run("echo kept")).out == "kept\n"
    (info,) = (await administer(many, "list_tokens"))["tokens"]
    assert (info["name"], info["minted_by"]) == ("child", None)
    await carl.close()


async def test_an_admin_that_revokes_itself_gets_its_ack(many: Daemon) -> None:
    ann = await member(many, "ann", "admin")
    assert (await ann.ask({"type": "revoke_token", "name": "ann"}))["type"] == "ack"
    assert await ann.closed() == (1008, "the token was revoked")


async def test_expiry_ends_live_connections(many: Daemon) -> None:
    token = await mint(many, "brief", "operator", ttl_seconds=0.5)
    client = await many.client("brief", token=token)
    expires = client.status["principal"]["expires_at"]
    assert 0 < expires - time.time() <= 0.5
    assert await client.closed() == (4008, "the credential has expired")
    assert time.time() >= expires
    assert await refused(many, token) == ("EXPIRED", 4008)
    raw = await Raw.open(many)
    answer = await raw.ask(
        "/files/etc/hostname", {"Host": "localhost", "Authorization": f"Bearer {token}"}
    )
    assert (answer.status, json.loads(answer.body)["code"]) == (401, "EXPIRED")
    answer = await raw.upgrade(headers={"Authorization": f"Bearer {token}"})
    assert answer.status == 401
    assert answer.body.startswith(b"EXPIRED: ")


@pytest.mark.parametrize("end", ["expire", "revoke"])
async def test_the_end_of_a_credential_ends_requests(
    many: Daemon, tmp_path: Path, end: str
) -> None:
    token = await mint(many, "up", ttl_seconds=1 if end == "expire" else None)
    raw = await Raw.open(many)
    head = f"PUT /files{tmp_path}/f HTTP/1.1\r\nHost: x.localhost\r\nContent-Length: 1000\r\n"
    raw.write(f"{head}Authorization: Bearer {token}\r\nExpect: 100-continue\r\n\r\n".encode())
    assert b"100 Continue" in await raw.reader.readuntil(b"\r\n\r\n")
    raw.write(b"half")
    if end == "revoke":
        await administer(many, "revoke_token", name="up")
    await raw.gone()
    assert not exists(tmp_path / "f")


async def test_a_network_that_the_token_is_not_for(many: Daemon) -> None:
    elsewhere = await mint(many, "elsewhere", sources=["10.0.0.0/8", "fd00::/8"])
    assert await refused(many, elsewhere) == ("INVALID_TOKEN", 4005)
    assert (
        "token elsewhere was refused: it came from 127.0.0.1"
        in (many.home / "daemon.log").read_text()
    )
    here = await mint(many, "here", sources=["127.0.0.0/8"])
    await (await many.client("here", token=here)).close()
    # The rest of 127.0.0.0/8 is loopback, too.
    narrow = await mint(many, "narrow", sources=["127.0.0.2"])
    assert await refused(many, narrow) == ("INVALID_TOKEN", 4005)
    raw = await Raw.upgraded(many, source="127.0.0.2")
    raw.send({"type": "auth", "token": narrow, "client_id": "n"})
    assert (await raw.receive())["type"] == "status"


async def test_a_token_that_must_be_isolated_runs_nothing(many: Daemon, tmp_path: Path) -> None:
    token = await mint(many, "boxed", isolate="bwrap")
    client = await many.client("boxed", token=token)
    for request in (
        {"type": "execute", "id": "1", "command": f"touch {tmp_path}/made"},
        {"type": "start_session", "id": "2"},
        {"type": "set_context", "env": {"PATH": "/evil"}},
        {"type": "fs_write", "id": "3", "root": "/", "path": "x", "content_base64": ""},
        {"type": "send_input", "id": "4", "data": ""},
    ):
        answer = await client.ask(request)
        assert answer["code"] == "ISOLATION_UNAVAILABLE"
        assert "bwrap" in answer["message"]
    raw = await Raw.open(many)
    response = await raw.ask(
        f"/files{tmp_path}", {"Host": "localhost", "Authorization": f"Bearer {token}"}
    )
    assert json.loads(response.body)["code"] == "ISOLATION_UNAVAILABLE"
    assert not exists(tmp_path / "made")
    native = await member(many, "native", isolate="native")
    assert (await native.run("echo ran")).out == "ran\n"
    for each in (client, native):
        await each.close()


async def test_a_file_changed_by_hand_counts_after_a_reload(many: Daemon) -> None:
    client = await member(many, "alice", "operator")
    file = many.home / "tokens.json"
    text = file.read_text()
    file.write_text(text.replace('"operator"', '"viewer"'))
    await administer(many, "reload")
    assert (await client.closed())[0] == 1008
    # An unknown field might restrict the token: the file counts as damaged, the old one stays.
    file.write_text(text.replace('"role"', '"only_on": "monday", "role"'))
    await administer(many, "reload")
    assert "tokens.json is damaged" in (many.home / "daemon.log").read_text()
    assert "Traceback" not in (many.home / "daemon.log").read_text()


async def test_many_revocations_race_with_connections(many: Daemon) -> None:
    """A token that is revoked while clients authenticate leaves none connected."""
    for number in range(30):
        token = await mint(many, f"race-{number}")
        tries = [asyncio.create_task(many.connect()) for _ in range(3)]
        sockets = [await each for each in tries]
        for index, ws in enumerate(sockets):
            auth = {"type": "auth", "client_id": f"c{index}", "token": token}
            await ws.send(json.dumps(auth))
        await administer(many, "revoke_token", name=f"race-{number}")
        for ws in sockets:
            await ws.wait_closed()
            assert ws.close_code in (1008, 4005)
