"""A handshake with an Authorization header: refused before the upgrade, and no token after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.server.principals import mint
from tests.server.raw import Raw

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Daemon


async def bearer(daemon: Daemon, token: str, scheme: str = "Bearer") -> Raw:
    raw = await Raw.open(daemon)
    response = await raw.upgrade(headers={"Authorization": f"{scheme} {token}"})
    assert response.status == 101, response
    return raw


async def test_auth_needs_no_token(daemon: Daemon) -> None:
    given = await mint(daemon, "bearer", "viewer")
    for token, name, scheme in ((daemon.token, "owner", "Bearer"), (given, "bearer", "bearer")):
        raw = await bearer(daemon, token, scheme)
        raw.send({"type": "auth", "client_id": "bearer"})
        status = await raw.receive()
        assert status["principal"]["name"] == name


async def test_a_wrong_token(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    for _ in range(10):
        raw = await Raw.open(daemon)
        response = await raw.upgrade(headers={"Authorization": "Bearer wrong"})
        assert (response.status, response.headers["www-authenticate"]) == (401, "Bearer")
        assert response.body == b"INVALID_TOKEN: the token is missing or wrong\n"
        await raw.close()  # of many unauthenticated connections some are dropped
    raw = await Raw.open(daemon)
    response = await raw.upgrade(headers={"Authorization": "Bearer wrong"})
    assert response.status == 429
    assert 1 <= int(response.headers["retry-after"]) <= 60
    # The right one is always admitted.
    await bearer(daemon, daemon.token)


async def test_a_foreign_host_comes_first(daemon: Daemon) -> None:
    raw = await Raw.open(daemon)
    head = {"Host": "evil.example", "Authorization": "Bearer wrong"}
    assert (await raw.upgrade(headers=head)).status == 403


async def test_another_scheme_is_no_credential(daemon: Daemon) -> None:
    raw = await bearer(daemon, "dXNlcjpwYXNzd29yZA==", "Basic")
    raw.send({"type": "auth", "client_id": "basic"})
    assert (await raw.receive())["code"] == "INVALID_TOKEN"


async def test_the_header_wins(daemon: Daemon) -> None:
    """One credential a connection: the one that was checked before the upgrade."""
    token = await mint(daemon, "headed", "viewer")
    raw = await bearer(daemon, token)
    raw.send(raw.auth(daemon, "headed"))
    assert (await raw.receive())["principal"]["role"] == "viewer"


async def test_the_unix_socket_needs_none(daemon: Daemon) -> None:
    raw = await Raw.open(daemon, local=True)
    assert (await raw.upgrade(headers={"Authorization": "Bearer wrong"})).status == 101
    raw.send({"type": "auth", "client_id": "local"})
    assert (await raw.receive())["principal"]["via"] == "socket"
