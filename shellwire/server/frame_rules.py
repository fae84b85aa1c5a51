"""The rules for a client's WebSocket frames (RFC 6455, RFC 7692); pure."""

from __future__ import annotations

import zlib
from typing import NamedTuple

from shellwire.protocol.codec import MAX_FRAME_BEFORE_AUTH
from shellwire.server.frame_head import (
    BINARY,
    CLOSE,
    COMPRESSED,
    CONTINUATION,
    CONTROL,
    DEFLATE_TAIL,
    FINAL,
    MASKED,
    MAX_CONTROL_PAYLOAD,
    PING,
    PONG,
    RESERVED,
    TEXT,
)

PROTOCOL_ERROR = 1002
INVALID_TEXT = 1007
TOO_BIG = 1009

# The codes below 3000 that are valid in a close frame (RFC 6455, 7.4; IANA's registry).
_CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})


class Violation(NamedTuple):
    """A broken rule: the close code and reason for it."""

    code: int
    reason: str


def check_head(first: int, second: int, *, compressed: bool, expects_new: bool) -> Violation | None:
    """Check the first two bytes of a frame.

    ``compressed``: permessage-deflate was agreed on. ``expects_new``: no fragmented message is
    incomplete, so a data frame must begin a message.
    """
    opcode = first & 0xF
    reason = None
    if not second & MASKED:
        reason = "a client's frames must be masked"  # 5.1
    elif first & CONTROL:
        if first & RESERVED or opcode not in (CLOSE, PING, PONG):
            reason = "reserved bit or opcode"  # 5.2
        elif not first & FINAL or second & 0x7F > MAX_CONTROL_PAYLOAD:
            reason = "a control frame is one frame of at most 125 bytes"  # 5.5
    elif first & _reserved_bits(opcode, compressed=compressed) or opcode not in (
        CONTINUATION,
        TEXT,
        BINARY,
    ):
        reason = "reserved bit or opcode"
    elif (opcode == CONTINUATION) is expects_new:
        reason = "a fragment out of order"  # 5.4
    return Violation(PROTOCOL_ERROR, reason) if reason else None


def _reserved_bits(opcode: int, *, compressed: bool) -> int:
    """Return the reserved bits without a meaning in a data frame (RFC 7692, 6)."""
    may_be_compressed = compressed and opcode != CONTINUATION
    return RESERVED & ~COMPRESSED if may_be_compressed else RESERVED


def check_length(field: int, length: int) -> Violation | None:
    """Check that the length is in its shortest form; ``field`` is the head's 7-bit length."""
    if (field == 126 and length < 126) or (field == 127 and length < 0x10000):
        return Violation(PROTOCOL_ERROR, "a length in a longer form than it needs")  # 5.2
    return None


def check_close(payload: bytes) -> Violation | None:
    """Check the payload of a close frame (RFC 6455, 5.5.1 and 7.4)."""
    if not payload:
        return None
    code = int.from_bytes(payload[:2], "big") if len(payload) > 1 else 0
    if code not in _CLOSE_CODES and not 3000 <= code < 5000:
        return Violation(PROTOCOL_ERROR, "no valid close code")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        return Violation(INVALID_TEXT, "the reason is not UTF-8")
    return None


def check_inflated(message: bytes) -> Violation | None:
    """Check the inflated size of an unauthenticated client's message, in bounded memory."""
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflate.decompress(message + DEFLATE_TAIL, MAX_FRAME_BEFORE_AUTH + 1)
    except zlib.error:
        return Violation(PROTOCOL_ERROR, "the compressed message is damaged")
    if len(inflated) > MAX_FRAME_BEFORE_AUTH:
        return Violation(TOO_BIG, "message too big")
    return None
