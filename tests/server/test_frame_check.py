"""FrameCheck gives the same result however the received bytes are cut."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shellwire.protocol.codec import MAX_FRAME_BEFORE_AUTH
from shellwire.server.frame_check import MAX_HELD, FrameCheck
from shellwire.server.frame_rules import TOO_BIG
from tests.server.raw import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame

_TAIL = b"\0\0\xff\xff"


class _Reader:
    """A stub of aiohttp's reader that records what it gets."""

    def __init__(self) -> None:
        self.got = bytearray()

    def feed_data(self, data: bytes, /) -> tuple[bool, bytes]:
        self.got += data
        return False, b""

    def feed_eof(self) -> None:
        pass


class _Checked:
    """A FrameCheck with a recorder of its actions."""

    def __init__(self, *, compressed: bool = False) -> None:
        self.reader = _Reader()
        self.paused = 0
        self.check = FrameCheck(self.reader, compressed=compressed, pause=self._pause)

    def _pause(self) -> None:
        self.paused += 1

    def feed(self, data: bytes, cuts: list[int]) -> None:
        at = 0
        for cut in [*sorted(cuts), len(data)]:
            self.check.feed_data(data[at:cut])
            at = max(at, cut)

    @property
    def code(self) -> int | None:
        return self.check.violation and self.check.violation.code


def _masked(opcode: int, payload: bytes, mask: bytes, *, final: bool = True) -> bytes:
    plain = frame(opcode, b"", final=final)
    key = (mask * len(payload))[: len(payload)]
    hidden = bytes(a ^ b for a, b in zip(payload, key, strict=True))
    assert len(payload) < 126
    return plain[:1] + bytes([0x80 | len(payload)]) + mask + hidden


_CUTS = st.lists(st.integers(0, 150), max_size=8)


@given(_CUTS, st.binary(min_size=4, max_size=4))
def test_the_first_message_comes_as_one_frame(cuts: list[int], mask: bytes) -> None:
    ping = _masked(PING, b"?", mask)
    after = frame(TEXT, b"behind")
    data = (
        _masked(TEXT, b'{"a', mask, final=False)
        + ping
        + _masked(CONTINUATION, b"", mask, final=False)
        + _masked(CONTINUATION, b'":1}', mask)
    )
    one = _Checked()
    one.feed(data + after, cuts)
    assert bytes(one.reader.got) == ping + b'\x81\x07{"a":1}'
    one.check.admit()
    assert bytes(one.reader.got) == ping + b'\x81\x07{"a":1}' + after
    assert one.code is None


@given(_CUTS)
def test_frames_pass_unchanged_after_admission(cuts: list[int]) -> None:
    data = (
        frame(TEXT, b"x" * 20, final=False)
        + frame(PING, b"y" * 20)
        + frame(CONTINUATION, b"z" * 20)
        + frame(BINARY)
        + frame(CLOSE, b"\x03\xe8bye")
    )
    one = _Checked()
    one.check.feed_data(frame(TEXT, b"{}"))
    one.check.admit()
    del one.reader.got[:]
    one.feed(data, cuts)
    assert bytes(one.reader.got) == data
    assert one.code is None
    assert one.check.peer_closed.is_set()


@given(_CUTS)
def test_frames_that_break_a_rule_do_not_pass(cuts: list[int]) -> None:
    good = frame(TEXT, b"good")
    one = _Checked()
    one.check.feed_data(frame(TEXT, b"{}"))
    one.check.admit()
    del one.reader.got[:]
    codes: list[int] = []
    one.check.on_violation = lambda violation: codes.append(violation.code)
    one.feed(good + frame(TEXT, b"bad", mask=False) + frame(3) + good + frame(CLOSE), cuts)
    assert bytes(one.reader.got) == good
    assert codes == [1002]
    assert one.check.peer_closed.is_set(), "the peer's answer to our close frame is seen"


@pytest.mark.parametrize("pieces", [1, 2, 1000])
def test_the_limit_holds_before_data_is_held(pieces: int) -> None:
    one = _Checked()
    share = MAX_FRAME_BEFORE_AUTH // pieces
    for number in range(pieces):
        opcode = CONTINUATION if number else TEXT
        one.check.feed_data(frame(opcode, b"x" * share, final=False))
    assert one.code is None
    rest = MAX_FRAME_BEFORE_AUTH - share * pieces
    one.check.feed_data(frame(CONTINUATION, b"x" * (rest + 1), final=False)[:14])
    assert one.code == TOO_BIG
    assert not one.reader.got


def test_empty_fragments_are_limited() -> None:
    one = _Checked()
    one.check.feed_data(frame(TEXT, final=False))
    for _ in range(100):
        one.check.feed_data(frame(CONTINUATION, final=False) * 1000)
    assert one.code == TOO_BIG


def test_an_announced_length_is_checked() -> None:
    one = _Checked()
    one.check.feed_data(frame(TEXT, b"x" * (MAX_FRAME_BEFORE_AUTH + 1))[:10])
    assert one.code == TOO_BIG


@pytest.mark.parametrize(
    ("size", "code"), [(MAX_FRAME_BEFORE_AUTH, None), (MAX_FRAME_BEFORE_AUTH + 1, TOO_BIG)]
)
def test_the_limit_holds_after_inflating(size: int, code: int | None) -> None:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflate.compress(b" " * size) + deflate.flush(zlib.Z_SYNC_FLUSH)
    message = bytearray(frame(TEXT, packed.removesuffix(_TAIL)))
    message[0] |= 0x40
    one = _Checked(compressed=True)
    one.check.feed_data(bytes(message))
    assert one.code == code
    assert bool(one.reader.got) is (code is None)


def test_held_data_pauses_the_socket() -> None:
    one = _Checked()
    one.check.feed_data(frame(TEXT, b"{}"))
    got = bytes(one.reader.got)
    flood = frame(TEXT, b"x" * 100) * (MAX_HELD // 106)
    one.check.feed_data(flood)
    assert one.paused == 0
    one.check.feed_data(frame(TEXT, b"x" * 200))
    assert one.paused == 1
    assert bytes(one.reader.got) == got
    one.check.drain()
    assert bytes(one.reader.got) == got
