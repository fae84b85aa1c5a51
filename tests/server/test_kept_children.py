"""Tokens whose creator is revoked: who may keep them. And a network's text has an end."""

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


async def test_a_network_has_no_more_text_than_it_needs(own_daemon: Callable[..., Daemon]) -> None:
    # Else five tokens would make the list of tokens too long to be sent.
    daemon = own_daemon("--max-clients", "9")
    admin = await member(daemon, "admin", "admin")
    for text in (f"fe80::1%{'x' * 1_000_000}", "fe80::%\x1b[31m/64", "x" * 1_000_000):
        answer = await admin.ask(
            {"type": "create_token", "name": "t", "role": "viewer", "from": [text]}
        )
        assert answer["code"] == "INVALID_MESSAGE"
        assert answer["message"].startswith("from: expected a network such as 10.0.0.0/8")
        assert len(answer["message"]) < 200
    await admin.close()
