"""Encode messages as WebSocket frames (RFC 6455, 5.2 and 5.4; RFC 7692, 7.2.1); pure.

aiohttp writes a message as one frame in one step. For a message of many MiB that step is long, and
blocks every other client. In fragments, other tasks run between them, and pings are sent: control
frames may stand between the fragments of a message.
"""

from __future__ import annotations

import zlib
from collections import deque
from typing import TYPE_CHECKING

from shellwire.server.frame_head import (
    COMPRESSED,
    CONTINUATION,
    DEFLATE_TAIL,
    FINAL,
    TEXT,
    encode_head,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAGMENT = 512 * 1024
"""The largest part of a message in one frame, in bytes. A message with job output fits one."""

Pieces = deque["bytes | memoryview"]

Payload = bytes | Pieces
"""A message's JSON; a long one may be in several pieces."""

MIN_COMPRESSED = 1024
"""The smallest message that is compressed, in bytes, if compression was agreed on."""


def encode_frames(payload: Payload, window_bits: int = 0) -> Iterator[bytes]:
    """Yield the frames of a text message. Its pieces are freed as they are used.

    ``window_bits`` is the window agreed on for permessage-deflate, 0 without. Each message is
    compressed independently, so no window has to be kept between messages.
    """
    if isinstance(payload, bytes):
        if len(payload) < MIN_COMPRESSED:
            yield encode_head(TEXT | FINAL, len(payload)) + payload
            return
        payload = Pieces([payload])
    deflate = None
    first = TEXT
    if window_bits and sum(map(len, payload)) >= MIN_COMPRESSED:
        deflate = zlib.compressobj(zlib.Z_BEST_SPEED, zlib.DEFLATED, -window_bits)
        first |= COMPRESSED
    while payload:
        part = _next_part(payload)
        if deflate is not None:
            part = deflate.compress(part) + deflate.flush(zlib.Z_SYNC_FLUSH)
            if not payload:
                part = part.removesuffix(DEFLATE_TAIL)
        yield encode_head(first | (0 if payload else FINAL), len(part)) + part
        first = CONTINUATION


def _next_part(pieces: Pieces) -> bytes:
    """Remove and return as many bytes as one frame may hold."""
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
