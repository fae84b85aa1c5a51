"""Messages as frames of a WebSocket (RFC 6455, 5.2 and 5.4); pure.

aiohttp writes a message as one frame in one step. Of one with many MiB that step is long, and for
as long as it takes nobody else's keystroke is seen. In fragments others have their turn between,
and so have pings: control frames may stand between the fragments of a message.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAGMENT = 512 * 1024
"""Bytes of a message in one frame at most. No message with a job's output needs a second one."""

Pieces = deque["bytes | memoryview"]

Payload = bytes | Pieces
"""A message's JSON; a long one may be in the pieces in which it was made."""

_FINAL = 0x80
_TEXT = 1
_CONTINUATION = 0


def frames(payload: Payload) -> Iterator[bytes]:
    """Yield the frames of a text message. Pieces of it are let go as they are used."""
    if isinstance(payload, bytes):
        payload = Pieces([payload])
    opcode = _TEXT
    while payload:
        part = _part(payload)
        yield _head(opcode | (0 if payload else _FINAL), len(part)) + part
        opcode = _CONTINUATION


def _part(pieces: Pieces) -> bytes:
    """Take as much as one frame may hold."""
    taken: list[bytes | memoryview] = []
    room = FRAGMENT
    while pieces and (room or not pieces[0]):
        piece = pieces.popleft()
        if len(piece) > room:
            piece = memoryview(piece)
            pieces.appendleft(piece[room:])
            piece = piece[:room]
        taken.append(piece)
        room -= len(piece)
    return b"".join(taken)


def _head(first: int, length: int) -> bytes:
    if length < 126:
        return struct.pack("!BB", first, length)
    if length < 65536:
        return struct.pack("!BBH", first, 126, length)
    return struct.pack("!BBQ", first, 127, length)
