"""Clients whose credential is raised, and lowered again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.principals import member
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


async def verbose_health(daemon: Daemon, token: str) -> Message:
    raw = await Raw.open(daemon)
    head = {"Host": "localhost", "Authorization": f"Bearer {token}"}
    answer = await raw.ask("/health?verbose", head)
    found: Message = json.loads(answer.body)
    return found
