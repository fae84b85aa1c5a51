"""Check the opening handshake of a WebSocket (RFC 6455, 4.2.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiohttp import HttpVersion11, web

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION = "13"
"""The supported version of the WebSocket protocol."""

# 16 bytes in Base64.
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==", re.ASCII)


def is_upgrade(request: web.Request) -> bool:
    """Whether the request asks for an upgrade to a WebSocket."""
    return request.headers.get("Upgrade", "").strip().lower() == "websocket"


def check(request: web.Request) -> None:
    """Raise HTTPUpgradeRequired or HTTPBadRequest unless the handshake can be accepted.

    The answer quotes nothing of the request.
    """
    if not is_upgrade(request):
        raise web.HTTPUpgradeRequired(
            headers={"Upgrade": "websocket"}, text="shellwire: this is a WebSocket\n"
        )
    if request.headers.getall("Sec-WebSocket-Version", []) != [VERSION]:
        # RFC 6455, 4.2.2 and 4.4: the answer names the supported version.
        raise web.HTTPUpgradeRequired(
            headers={"Upgrade": "websocket", "Sec-WebSocket-Version": VERSION},
            text=f"Sec-WebSocket-Version: expected {VERSION}\n",
        )
    keys = request.headers.getall("Sec-WebSocket-Key", [])
    if len(keys) != 1 or not _KEY.fullmatch(keys[0]):
        raise _bad("Sec-WebSocket-Key: expected 16 bytes in Base64")
    if "upgrade" not in _tokens(request.headers.getall("Connection", [])):
        raise _bad("Connection: expected Upgrade")
    if request.version < HttpVersion11:
        raise _bad("expected HTTP/1.1")
    if request.can_read_body:
        raise _bad("a handshake has no content")


def refused() -> web.HTTPBadRequest:
    """Return the answer to a handshake that aiohttp refused."""
    return _bad("this is no handshake of a WebSocket")


def _bad(reason: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=f"{reason}\n")


def _tokens(values: Iterable[str]) -> set[str]:
    return {token.strip().lower() for value in values for token in value.split(",")}
