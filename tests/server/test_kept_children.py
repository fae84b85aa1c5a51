"""Tokens whose creator is revoked: who may keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.server.principals import administer, member

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Daemon


async def test_nobody_makes_his_own_tokens_outlive_himself(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon("--max-clients", "9")
    admin = await member(daemon, "admin", "admin")
    other = await member(daemon, "other", "admin")
    await admin.ask({"type": "create_token", "name": "child", "role": "operator"})
    for client in (admin, other):
        answer = await client.ask({"type": "revoke_token", "name": "admin", "keep_children": True})
        assert answer["code"] == "FORBIDDEN"
    # The owner still ends both.
    await administer(daemon, "revoke_token", name="admin")
    left = (await administer(daemon, "list_tokens"))["tokens"]
    assert [each["name"] for each in left] == ["other"]
    await other.close()
