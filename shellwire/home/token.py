"""The token: 32 random bytes as 64 hexadecimal digits, created once and kept until rotated."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Literal

from shellwire.home.atomic import read_private, write_private
from shellwire.home.lock import write_lock

if TYPE_CHECKING:
    from shellwire.home.paths import Home

TokenOrigin = Literal["kept", "created", "replaced"]

_TOKEN = re.compile(rb"\s*([0-9A-Fa-f]{64})\s*")


def read_token(home: Home) -> str | None:
    """Return the token, or None if the file is missing or malformed.

    White space around the token is ignored. Raises HomeError if the file can't be read.
    """
    return _inspect(home)[0]


def token_origin(home: Home) -> TokenOrigin:
    """Return what ``ensure_token`` would do, and change nothing. Raises HomeError."""
    return _inspect(home)[1]


def ensure_token(home: Home) -> tuple[str, TokenOrigin]:
    """Return the token, and whether it was kept, created, or replaced because malformed.

    Raises HomeError if the file can't be read or written.
    """
    home.ensure()
    with write_lock(home):
        token, origin = _inspect(home)
        return token or _write_new(home), origin


def rotate_token(home: Home) -> str:
    """Replace the token and return the new one; a running daemon must still reload it.

    Raises HomeError if the file can't be written.
    """
    home.ensure()
    with write_lock(home):
        return _write_new(home)


def _inspect(home: Home) -> tuple[str | None, TokenOrigin]:
    content = read_private(home.token_file)
    if content is None:
        return None, "created"
    match = _TOKEN.fullmatch(content)
    return (match[1].decode(), "kept") if match else (None, "replaced")


def _write_new(home: Home) -> str:
    token = secrets.token_hex(32)
    write_private(home.token_file, token.encode())
    return token
