"""Tokens and clients of other principals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.server.raw import Raw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.live import Client, Daemon, Message


async def mint(
    daemon: Daemon,
    name: str,
    role: str = "operator",
    *,
    sources: Sequence[str] = (),
    **fields: Any,
) -> str:
    """Create a token as the owner; return it. ``sources`` is the field ``from``."""
    fields["from"] = sources
    answer = await administer(daemon, "create_token", name=name, role=role, **fields)
    assert answer["type"] == "token_created", answer
    return str(answer["token"])


async def administer(daemon: Daemon, kind: str, **fields: Any) -> Message:
    """Send a message as the owner, on the Unix socket; return the answer."""
    owner = await daemon.client(local=True)
    answer = await owner.ask({"type": kind, **fields})
    await owner.close()
    return answer


async def member(
    daemon: Daemon, name: str, role: str = "operator", client_id: str | None = None, **fields: Any
) -> Client:
    """Create a token and connect with it."""
    token = await mint(daemon, name, role, **fields)
    return await daemon.client(client_id or name, token=token)


async def refused(daemon: Daemon, token: str, client_id: str = "refused") -> tuple[str, int]:
    """Return code and close code with which a token is refused."""
    raw = await Raw.upgraded(daemon)
    raw.send({"type": "auth", "token": token, "client_id": client_id})
    error = await raw.receive()
    return error["code"], (await raw.closed())[0]
