"""Messages as frames of a WebSocket (RFC 6455, 5.2 and 5.4; compressed, RFC 7692, 7.2.1); pure.

aiohttp writes a message as one frame in one step. Of one with many MiB that step is long, and for
as long as it takes nobody else's keystroke is seen. In fragments others have their turn between,
and so have pings: control frames may stand between the fragments of a message.
"""

from __future__ import annotations

import struct
import zlib
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAGMENT = 512 * 1024
"""Bytes of a message in one frame at most. No message with a job's output needs a second one."""

Pieces = deque["bytes | memoryview"]

Payload = bytes | Pieces
"""A message's JSON; a long one may be in the pieces in which it was made."""

WORTH_COMPRESSING = 1024
"""Bytes of a message from which on it is compressed, where that was agreed on."""

_FINAL = 0x80
_COMPRESSED = 0x40
_TEXT = 1
_CONTINUATION = 0


# What ends each part that is flushed, and is left out at a message's end (RFC 7692, 7.2.1).
_FLUSHED = b"\0\0\xff\xff"


def frames(payload: Payload, window_bits: int = 0) -> Iterator[bytes]:
    """Yield the frames of a text message. Pieces of it are let go as they are used.

    ``window_bits`` is what permessage-deflate was agreed on with, 0 if it was not. Each message is
    compressed by itself: it refers to none before it, so that nothing is kept for the next one.
    """
    if isinstance(payload, bytes):
        payload = Pieces([payload])
    deflate = None
    first = _TEXT
    if window_bits and sum(map(len, payload)) >= WORTH_COMPRESSING:
        deflate = zlib.compressobj(zlib.Z_BEST_SPEED, zlib.DEFLATED, -window_bits)
        first |= _COMPRESSED
    while payload:
        part = _part(payload)
        if deflate is not None:
            part = deflate.compress(part) + deflate.flush(zlib.Z_SYNC_FLUSH)
            if not payload:
                part = part.removesuffix(_FLUSHED)
        yield _head(first | (0 if payload else _FINAL), len(part)) + part
        first = _CONTINUATION


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
