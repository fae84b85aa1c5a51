"""The head of a WebSocket frame, and the mask of its payload (RFC 6455, 5.2 and 5.3); pure."""

from __future__ import annotations

import struct
from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FINAL, COMPRESSED, RESERVED, MASKED, CONTROL = 0x80, 0x40, 0x70, 0x80, 0x8
MAX_CONTROL_PAYLOAD = 125

DEFLATE_TAIL = b"\0\0\xff\xff"
"""The bytes that a sender removes from the end of a compressed message (RFC 7692, 7.2.1)."""


class FrameHead(NamedTuple):
    """The head of a frame: its first two bytes, and what the bytes after them say.

    ``length`` is the payload's length; None if its bytes have not arrived. ``size`` is the head's.
    """

    first: int
    second: int
    length: int | None
    size: int

    @property
    def opcode(self) -> int:
        return self.first & 0xF

    @property
    def is_control(self) -> bool:
        return bool(self.first & CONTROL) and self.second & 0x7F <= MAX_CONTROL_PAYLOAD

    def mask(self, data: bytes, at: int) -> bytes:
        """Return the mask of the frame at ``at``."""
        return data[at + self.size - 4 : at + self.size]

    def control_payload(self, data: bytes, at: int) -> bytes | None:
        """Return the unmasked payload of the control frame at ``at``; None if it is incomplete."""
        end = at + self.size + (self.length or 0)
        if len(data) < end:
            return None
        return unmask(data[at + self.size : end], self.mask(data, at))


def parse_head(data: bytes, at: int) -> FrameHead | None:
    """Return the frame head at ``at``; None if fewer than two bytes have arrived."""
    available = len(data) - at
    if available < 2:
        return None
    first, second = data[at], data[at + 1]
    mask = 4 if second & MASKED else 0
    field = second & 0x7F
    if field < 126:
        return FrameHead(first, second, field, 2 + mask)
    form, size = ("!H", 4) if field == 126 else ("!Q", 10)
    length = struct.unpack_from(form, data, at + 2)[0] if available >= size else None
    return FrameHead(first, second, length, size + mask)


def encode_head(first: int, length: int) -> bytes:
    """Return the head of an unmasked frame with a payload of ``length`` bytes."""
    if length < 126:
        return struct.pack("!BB", first, length)
    if length < 0x10000:
        return struct.pack("!BBH", first, 126, length)
    return struct.pack("!BBQ", first, 127, length)


def unmask(payload: bytes | bytearray, mask: bytes) -> bytes:
    """Return the payload without its mask (RFC 6455, 5.3)."""
    length = len(payload)
    key = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")
