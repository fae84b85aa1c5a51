"""Checks a client's WebSocket frames before aiohttp's reader gets them (RFC 6455, RFC 7692).

aiohttp's reader accepts unmasked frames, and holds and inflates 16 MiB for any peer. So each
connection has a FrameCheck in front of its reader:

- Before authentication it assembles the first message itself, checks its inflated size, and gives
  it to the reader as one frame. It holds what follows that message until the client is admitted,
  and pauses the socket while it holds too much.
- After authentication it passes data on, and checks the head of each frame.
- After our close frame it drops all frames and waits for the peer's close frame.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from shellwire.protocol.codec import MAX_FRAME, MAX_FRAME_BEFORE_AUTH
from shellwire.server.frame_head import (
    CLOSE,
    COMPRESSED,
    CONTINUATION,
    FINAL,
    FrameHead,
    encode_head,
    parse_head,
    unmask,
)
from shellwire.server.frame_rules import (
    TOO_BIG,
    Violation,
    check_close,
    check_head,
    check_inflated,
    check_length,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_HELD = 64 * 1024
"""Bytes after the first message that are held before the socket is paused."""

# One-byte fragments take seven bytes each. A client that sends more than this before the first
# message is complete does not intend to complete it.
_MAX_FIRST_MESSAGE = 8 * MAX_FRAME_BEFORE_AUTH

_OK = (False, b"")
_TOO_BIG = Violation(TOO_BIG, "message too big")


class Reader(Protocol):
    """The part of aiohttp's WebSocketReader that is used."""

    def feed_data(self, data: bytes, /) -> tuple[bool, bytes]: ...

    def feed_eof(self) -> None: ...


class FrameCheck:
    """Passes a client's frames on to ``reader`` if they keep the rules.

    aiohttp uses it as a reader: it calls ``feed_data`` and ``feed_eof``. ``compressed``:
    permessage-deflate was agreed on. ``pause`` stops reading from the socket.
    """

    def __init__(self, reader: Reader, *, compressed: bool, pause: Callable[[], None]) -> None:
        self.violation: Violation | None = None
        """The rule that the client broke, if any."""
        self.on_violation: Callable[[Violation], None] | None = None
        self.peer_closed = asyncio.Event()
        """Set when the peer's close frame or the end of the stream has arrived."""
        self.messages = 0
        """Messages that were begun by now, without control frames: as many as arrived, or more."""
        self._reader = reader
        self._compressed = compressed
        self._pause = pause
        self._limit = MAX_FRAME_BEFORE_AUTH
        self._is_admitted = False
        self._is_draining = False
        self._rest = b""  # the beginning of a frame whose head is incomplete
        self._unread = 0  # bytes of the current frame's payload that have not arrived
        self._is_final = True  # whether the current frame ends its message, or none has begun
        self._size = 0  # bytes of the current message
        self._message = bytearray()  # the first message, as far as it has arrived
        self._first_byte = 0  # the first byte of the first message's first frame
        self._frame_start = 0
        self._mask = b""
        self._received = 0  # bytes that arrived before the first message was complete
        self._held: bytearray | None = None

    # Called by aiohttp ---------------------------------------------------------------------------

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take received data. Returns as aiohttp's reader: whether it failed, and unused data."""
        data = self._rest + bytes(data)  # a bytearray on Windows
        self._rest = b""
        at = passed = 0
        while at < len(data) and self._held is None:
            if self._unread:
                at += self._take_payload(data, at)
                continue
            head = parse_head(data, at)
            if head is None:
                break
            violation = None if self._is_draining else self._check(head, data, at)
            if violation is not None:
                self._pass_on(data[passed:at])
                self._fail(violation)
                continue  # with the same frame, which is now dropped
            step = self._begin_frame(head, data, at)
            if not step:
                break
            at += step
        if not self._is_admitted and not self._is_draining:
            self._received += at
            if self._received > _MAX_FIRST_MESSAGE:
                self._fail(_TOO_BIG)
        if self._held is not None:
            self._held += data[at:]
            if len(self._held) > MAX_HELD:
                self._pause()
            return _OK
        self._rest = data[at:]
        return self._pass_on(data[passed:at])

    def feed_eof(self) -> None:
        """Take the end of the stream."""
        self.peer_closed.set()
        self._reader.feed_eof()

    # Called by the connection --------------------------------------------------------------------

    def admit(self) -> None:
        """Trust the client: pass on held data, and accept messages of up to 16 MiB."""
        self._is_admitted = True
        self._limit = MAX_FRAME
        held, self._held = self._held, None
        if held:
            self.feed_data(bytes(held))

    def drain(self) -> None:
        """Drop all frames up to the peer's close frame: ours was sent."""
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

    def _begin_frame(self, head: FrameHead, data: bytes, at: int) -> int:
        """Take the head of a frame, or a whole control frame.

        Returns the number of bytes taken, 0 if more must arrive first.
        """
        if head.length is None:
            return 0
        if head.is_control:
            payload = head.control_payload(data, at)
            if payload is None:
                return 0
            size = head.size + head.length
            if not self._is_admitted and not self._is_draining:
                self._reader.feed_data(data[at : at + size])
            if head.opcode == CLOSE:
                self.peer_closed.set()
            return size
        if len(data) - at < head.size:
            return 0
        self._unread = head.length
        if not self._is_draining:
            self._is_final = bool(head.first & FINAL)
            self.messages += self._is_final
            self._size = 0 if self._is_final else self._size + head.length
            if not self._is_admitted:
                self._begin_fragment(head, head.mask(data, at))
        return head.size

    def _begin_fragment(self, head: FrameHead, mask: bytes) -> None:
        """Begin a frame of the first message."""
        if head.opcode != CONTINUATION:
            self._first_byte = head.first
        self._frame_start = len(self._message)
        self._mask = mask
        if not head.length:
            self._end_fragment()

    def _take_payload(self, data: bytes, at: int) -> int:
        """Take what has arrived of a payload. Returns the number of bytes."""
        step = min(self._unread, len(data) - at)
        self._unread -= step
        if not self._is_admitted and not self._is_draining:
            self._message += data[at : at + step]
            if not self._unread:
                self._end_fragment()
        return step

    def _end_fragment(self) -> None:
        """End a frame of the first message; pass the message on if it is complete."""
        start = self._frame_start
        if start < len(self._message):
            self._message[start:] = unmask(self._message[start:], self._mask)
        if not self._is_final:
            return
        message, self._message = bytes(self._message), bytearray()
        violation = check_inflated(message) if self._first_byte & COMPRESSED else None
        if violation is not None:
            self._fail(violation)
            return
        self._held = bytearray()
        first = FINAL | self._first_byte & (COMPRESSED | 0xF)
        self._reader.feed_data(encode_head(first, len(message)) + message)

    # Rules ---------------------------------------------------------------------------------------

    def _fail(self, violation: Violation) -> None:
        self.violation = violation
        self.drain()
        if self.on_violation is not None:
            self.on_violation(violation)

    def _check(self, head: FrameHead, data: bytes, at: int) -> Violation | None:
        """Check the frame at ``at``, as far as it has arrived."""
        violation = check_head(
            head.first, head.second, compressed=self._compressed, expects_new=self._is_final
        )
        if violation is None and head.length is not None:
            if head.is_control:
                payload = head.control_payload(data, at) if head.opcode == CLOSE else None
                violation = check_close(payload) if payload is not None else None
            elif self._size + head.length > self._limit:
                violation = _TOO_BIG
            else:
                violation = check_length(head.second & 0x7F, head.length)
        return violation
