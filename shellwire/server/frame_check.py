"""Checks a client's WebSocket frames before aiohttp's reader gets them (RFC 6455, RFC 7692).

aiohttp's reader takes unmasked frames, and holds and inflates 16 MiB for whoever has connected. So
each connection has a FrameCheck before its reader:

- Before authentication it puts the first message together itself, inflates it with a bound, and
  gives it to the reader as one frame. What comes behind that message waits until its sender is
  admitted; the socket is not read while too much waits.
- Afterwards it passes on what comes, and looks at the head of each frame.
- After our close frame it drops all frames and waits for the peer's close frame.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple, Protocol

from shellwire.protocol.codec import MAX_FRAME, MAX_FRAME_BEFORE_AUTH

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOL_ERROR = 1002
INVALID_TEXT = 1007
TOO_BIG = 1009

MAX_HELD = 64 * 1024
"""Bytes behind the first message that may wait before the socket is not read any more."""

# Fragments of one byte have seven. Whoever sends more before the first message is complete does not
# mean to complete it.
_MOST_BEFORE = 8 * MAX_FRAME_BEFORE_AUTH

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_FINAL, _COMPRESSED, _RESERVED, _MASKED, _CONTROL = 0x80, 0x40, 0x70, 0x80, 0x8
_LONGEST_CONTROL = 125

# What a sender leaves out at the end of a compressed message (RFC 7692, 7.2.1).
_FLUSHED = b"\0\0\xff\xff"

# Codes that may stand in a close frame (RFC 6455, 7.4; the registry of IANA), below 3000.
_CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})

_OK = (False, b"")


class Reader(Protocol):
    """aiohttp's WebSocketReader, as far as it is used."""

    def feed_data(self, data: bytes, /) -> tuple[bool, bytes]: ...

    def feed_eof(self) -> None: ...


class Violation(NamedTuple):
    """Why a connection is closed for its frames."""

    code: int
    reason: str


class _Head(NamedTuple):
    """The head of a frame: its first two bytes, and what follows from the next ones.

    ``length`` is the payload's, None if those bytes have not come; ``size`` is the head's own.
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
        return bool(self.first & _CONTROL) and self.second & 0x7F <= _LONGEST_CONTROL

    def mask(self, data: bytes, at: int) -> bytes:
        return data[at + self.size - 4 : at + self.size]

    def control_payload(self, data: bytes, at: int) -> bytes | None:
        """Return the unmasked payload of a control frame at ``at``, None if it is not all there."""
        end = at + self.size + (self.length or 0)
        if len(data) < end:
            return None
        return _unmasked(data[at + self.size : end], self.mask(data, at))


def _head_at(data: bytes, at: int) -> _Head | None:
    """Return the head that begins at ``at`` (RFC 6455, 5.2); None if that can't be seen yet."""
    there = len(data) - at
    if there < 2:
        return None
    first, second = data[at], data[at + 1]
    mask = 4 if second & _MASKED else 0
    field = second & 0x7F
    if field < 126:
        return _Head(first, second, field, 2 + mask)
    form, size = ("!H", 4) if field == 126 else ("!Q", 10)
    length = struct.unpack_from(form, data, at + 2)[0] if there >= size else None
    return _Head(first, second, length, size + mask)


class FrameCheck:
    """Gives ``reader`` the frames of a client that keep the rules.

    It poses as a reader: aiohttp calls ``feed_data`` and ``feed_eof``. ``compressed`` says whether
    permessage-deflate was agreed on; ``pause`` stops reading from the socket.
    """

    def __init__(self, reader: Reader, *, compressed: bool, pause: Callable[[], None]) -> None:
        self.violation: Violation | None = None
        """What was wrong, once something was."""
        self.on_violation: Callable[[Violation], None] | None = None
        self.peer_closed = asyncio.Event()
        """Set when the peer's close frame has come, or the end of the stream."""
        self._reader = reader
        self._compressed = compressed
        self._pause = pause
        self._limit = MAX_FRAME_BEFORE_AUTH
        self._is_admitted = False
        self._is_draining = False
        self._rest = b""  # the beginning of a frame whose head is not whole
        self._left = 0  # bytes of the payload of the frame that is being read
        self._is_final = True  # whether that frame ends its message, or no message has begun
        self._size = 0  # bytes of the message that is being read
        self._message = bytearray()  # the first message, as far as it is there
        self._opening = 0  # the first byte of its first frame
        self._frame_start = 0
        self._mask = b""
        self._came = 0  # bytes that came before the first message was complete
        self._held: bytearray | None = None

    # What aiohttp calls --------------------------------------------------------------------------

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take what has come. Returns what aiohttp's reader does: whether it failed, and a rest."""
        data = self._rest + bytes(data)  # a bytearray on Windows
        self._rest = b""
        at = passed = 0
        while at < len(data) and self._held is None:
            if self._left:
                at += self._payload(data, at)
                continue
            head = _head_at(data, at)
            if head is None:
                break
            violation = None if self._is_draining else self._judge(head, data, at)
            if violation is not None:
                self._pass_on(data[passed:at])
                self._fail(violation)
                continue  # with the same frame, which is dropped now
            step = self._begin(head, data, at)
            if not step:
                break
            at += step
        if not self._is_admitted and not self._is_draining:
            self._came += at
            if self._came > _MOST_BEFORE:
                self._fail(Violation(TOO_BIG, "message too big"))
        if self._held is not None:
            self._held += data[at:]
            if len(self._held) > MAX_HELD:
                self._pause()
            return _OK
        self._rest = data[at:]
        return self._pass_on(data[passed:at])

    def feed_eof(self) -> None:
        """Take note that nothing more comes."""
        self.peer_closed.set()
        self._reader.feed_eof()

    # What the connection calls -------------------------------------------------------------------

    def admit(self) -> None:
        """Trust the peer: pass on what has waited, and from now on messages of up to 16 MiB."""
        self._is_admitted = True
        self._limit = MAX_FRAME
        held, self._held = self._held, None
        if held:
            self.feed_data(bytes(held))

    def drain(self) -> None:
        """Drop what comes, up to the peer's close frame: ours was sent."""
        self._is_draining = True
        self._message = bytearray()
        held, self._held = self._held, None
        if held:
            self.feed_data(bytes(held))

    # Frames --------------------------------------------------------------------------------------

    def _pass_on(self, data: bytes) -> tuple[bool, bytes]:
        if data and self._is_admitted and not self._is_draining:
            return self._reader.feed_data(data)
        return _OK

    def _begin(self, head: _Head, data: bytes, at: int) -> int:
        """Begin with a frame. Returns how many bytes that took, 0 if more of it is needed."""
        if head.length is None:
            return 0
        if head.is_control:
            payload = head.control_payload(data, at)
            if payload is None:
                return 0
            size = head.size + head.length
            if not self._is_admitted and not self._is_draining:
                self._reader.feed_data(data[at : at + size])
            if head.opcode == _CLOSE:
                self.peer_closed.set()
            return size
        if len(data) - at < head.size:
            return 0
        self._left = head.length
        if not self._is_draining:
            self._is_final = bool(head.first & _FINAL)
            self._size = 0 if self._is_final else self._size + head.length
            if not self._is_admitted:
                self._begin_fragment(head, head.mask(data, at))
        return head.size

    def _begin_fragment(self, head: _Head, mask: bytes) -> None:
        """Begin with a frame of the first message."""
        if head.opcode != _CONTINUATION:
            self._opening = head.first
        self._frame_start = len(self._message)
        self._mask = mask
        if not head.length:
            self._end_frame()

    def _payload(self, data: bytes, at: int) -> int:
        """Take what is there of a payload. Returns how many bytes that was."""
        step = min(self._left, len(data) - at)
        self._left -= step
        if not self._is_admitted and not self._is_draining:
            self._message += data[at : at + step]
            if not self._left:
                self._end_frame()
        return step

    def _end_frame(self) -> None:
        """Take note that a data frame of the first message is all there."""
        start = self._frame_start
        if start < len(self._message):
            self._message[start:] = _unmasked(self._message[start:], self._mask)
        if not self._is_final:
            return
        message, self._message = bytes(self._message), bytearray()
        violation = _wrong_inflated(message) if self._opening & _COMPRESSED else None
        if violation is not None:
            self._fail(violation)
            return
        self._held = bytearray()
        opening = _FINAL | self._opening & (_COMPRESSED | 0xF)
        self._reader.feed_data(_unmasked_head(opening, len(message)) + message)

    # Rules ---------------------------------------------------------------------------------------

    def _fail(self, violation: Violation) -> None:
        self.violation = violation
        self.drain()
        if self.on_violation is not None:
            self.on_violation(violation)

    def _judge(self, head: _Head, data: bytes, at: int) -> Violation | None:
        """Return which rule the frame at ``at`` breaks, as far as that can be seen yet."""
        violation = self._wrong_head(head.first, head.second)
        if violation is None and head.length is not None:
            if head.is_control:
                payload = head.control_payload(data, at) if head.opcode == _CLOSE else None
                violation = _wrong_close(payload) if payload is not None else None
            else:
                violation = self._wrong_length(head.second & 0x7F, head.length)
        return violation

    def _wrong_head(self, first: int, second: int) -> Violation | None:
        opcode = first & 0xF
        wrong = None
        if not second & _MASKED:
            wrong = "a client's frames must be masked"  # 5.1
        elif first & _CONTROL:
            if first & _RESERVED or opcode not in (_CLOSE, _PING, _PONG):
                wrong = "reserved bit or opcode"  # 5.2
            elif not first & _FINAL or second & 0x7F > _LONGEST_CONTROL:
                wrong = "a control frame has one frame and 125 bytes at most"  # 5.5
        elif first & self._unknown_bits(opcode) or opcode not in (_CONTINUATION, _TEXT, _BINARY):
            wrong = "reserved bit or opcode"
        elif (opcode == _CONTINUATION) is self._is_final:
            wrong = "a fragment out of order"  # 5.4
        return Violation(PROTOCOL_ERROR, wrong) if wrong else None

    def _unknown_bits(self, opcode: int) -> int:
        """Return the reserved bits that mean nothing here (RFC 7692, 6)."""
        may_be_compressed = self._compressed and opcode != _CONTINUATION
        return _RESERVED & ~_COMPRESSED if may_be_compressed else _RESERVED

    def _wrong_length(self, field: int, length: int) -> Violation | None:
        if self._size + length > self._limit:
            return Violation(TOO_BIG, "message too big")
        if (field == 126 and length < 126) or (field == 127 and length < 0x10000):
            return Violation(PROTOCOL_ERROR, "a length in a longer form than it needs")  # 5.2
        return None


def _wrong_close(payload: bytes) -> Violation | None:
    """Judge the payload of a close frame (RFC 6455, 5.5.1 and 7.4)."""
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


def _wrong_inflated(message: bytes) -> Violation | None:
    """Judge what a compressed message of a stranger unpacks to, in bounded memory."""
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        unpacked = inflate.decompress(message + _FLUSHED, MAX_FRAME_BEFORE_AUTH + 1)
    except zlib.error:
        return Violation(PROTOCOL_ERROR, "the compressed message is damaged")
    if len(unpacked) > MAX_FRAME_BEFORE_AUTH:
        return Violation(TOO_BIG, "message too big")
    return None


def _unmasked(payload: bytes | bytearray, mask: bytes) -> bytes:
    """Return the payload without its mask (RFC 6455, 5.3)."""
    length = len(payload)
    key = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")


def _unmasked_head(first: int, length: int) -> bytes:
    if length < 126:
        return struct.pack("!BB", first, length)
    if length < 0x10000:
        return struct.pack("!BBH", first, 126, length)
    return struct.pack("!BBQ", first, 127, length)
