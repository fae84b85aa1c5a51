"""HTTP connections of other principals that stay open after their request are few."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.server.http_connection import MAX_KEPT
from tests.server.http_files.web import until
from tests.server.principals import mint
from tests.server.raw import Raw

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Daemon


async def test_nobody_but_the_owner_keeps_many_open(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    for role, status in (("viewer", b"403"), ("operator", b"200")):
        token = await mint(daemon, role, role)
        before = daemon.sockets()
        for number in range(MAX_KEPT + 12):
            raw = await Raw.open(daemon)
            # HEAD: its answer is sent once the daemon has decided what to close. A body may arrive
            # before that, and then the next connection counts already.
            raw.writer.write(
                b"HEAD /files/etc/hostname HTTP/1.1\r\nHost: localhost\r\n"
                + f"Authorization: Bearer {token}\r\n\r\n".encode()
            )
            assert status in await raw.reader.readline()
            if number >= MAX_KEPT:
                await raw.reader.read()  # the daemon closes it
        until(lambda before=before: daemon.sockets() <= before + MAX_KEPT)
    # The owner's stay open.
    opened = []
    for _ in range(MAX_KEPT + 12):
        raw = await Raw.open(daemon)
        opened.append(raw)
        for _ in range(2):
            raw.writer.write(
                b"GET /files/etc/hostname HTTP/1.1\r\nHost: localhost\r\n"
                + f"Authorization: Bearer {daemon.token}\r\n\r\n".encode()
            )
            assert b"200" in await raw.reader.readuntil(b"\r\n\r\n")
            await raw.reader.read(4096)
