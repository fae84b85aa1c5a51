"""What refusals, positions and lists say of other principals: nothing that the role may not see."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.server.principals import member, mint

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Daemon


async def test_what_a_refusal_says_of_others(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-processes", "2", "--max-queue", "3", "--max-clients", "9")
    owner = await daemon.client()
    await owner.session(id="secret-name", command="sleep 99999")
    alice = await member(daemon, "alice")
    await alice.session(id="hers", command="cat")
    bob = await member(daemon, "bob")
    for request in (
        {"type": "start_session", "id": "s"},
        {"type": "execute", "id": "e1", "command": ":"},
        {"type": "execute", "id": "e2", "command": ":"},
        {"type": "execute", "id": "e3", "command": ":"},
    ):
        await bob.send(request)
    (refused,) = await bob.until("error", id="s")
    assert refused["code"] == "TOO_MANY_PROCESSES"
    full = (await bob.until("error", id="e3"))[-1]
    assert full["code"] == "QUEUE_FULL"  # the last place is the owner's
    for error in (refused, full):
        assert error["message"].count("another user's command") == 2
        assert "start --preset person" in error["message"]
        for word in ("secret", "hers", "sleep", "cat"):
            assert word not in error["message"]
    # Alice is told of her own job, and of her own place in the queue.
    refused = await alice.ask({"type": "start_session", "id": "s"})
    assert "hers (`cat`" in refused["message"]
    assert refused["message"].count("another user's command") == 1
    await alice.send({"type": "execute", "id": "e", "command": ":"})
    assert (await alice.until("error", id="e"))[-1]["code"] == "QUEUE_FULL"
    # The owner gets the last place, sees everybody's jobs, and counts all that wait.
    await owner.send({"type": "execute", "id": "mine", "command": ":"})
    assert (await owner.until("command_queued", id="mine"))[-1]["position"] == 3
    refused = await owner.ask({"type": "start_session", "id": "s"})
    assert "secret-name" in refused["message"]
    assert "hers" in refused["message"]
    for client in (owner, alice, bob):
        await client.close()


async def test_a_position_counts_ones_own(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-processes", "1", "--max-clients", "9")
    owner = await daemon.client()
    await owner.session(id="holds", command="cat")
    for number in range(3):
        await owner.start(":", id=f"w{number}")
    alice = await member(daemon, "alice")
    for place in (1, 2):
        job = await alice.start(":")
        assert (await alice.until("command_queued", id=job))[-1]["position"] == place
    viewer = await member(daemon, "eve", "viewer")
    assert len(viewer.status["jobs"]) == 6
    for client in (owner, alice, viewer):
        await client.close()


async def test_a_client_without_a_slot_is_told_of_its_own_principals(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon()
    await daemon.client("owners-phone")
    token = await mint(daemon, "alice")
    phone = await daemon.client("phone", token=token)
    ws = await daemon.connect()
    await ws.send(json.dumps({"type": "auth", "client_id": "tablet", "token": token}))
    error = json.loads(await ws.recv())
    assert error["code"] == "CLIENT_REJECTED"
    assert "taken, by phone;" in error["message"]
    assert "start --preset person" in error["message"]
    assert (await phone.run("echo on")).out == "on\n"
    await phone.close()
