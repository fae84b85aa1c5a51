"""The buffer against a plain list of bytes: offsets, characters, eviction, gaps."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shellwire.jobs.buffer import STDERR, STDOUT, STREAMS, Buffer, Gap, Piece, incomplete_tail

_PARTS = st.sampled_from(
    [
        b"a",
        "é".encode(),
        "€".encode(),
        "😀".encode(),
        "😀".encode()[:3],
        "😀".encode()[1:],
        "€".encode()[:2],
        b"\x80",
        b"\xff",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"",
    ]
)
_BYTES = st.one_of(st.lists(_PARTS, max_size=12).map(b"".join), st.binary(max_size=40))


@dataclass(frozen=True)
class Write:
    stream: int
    data: bytes


_WRITES = st.lists(st.builds(Write, st.sampled_from([STDOUT, STDERR]), _BYTES), max_size=20)


def _fill(buffer: Buffer, writes: list[Write]) -> list[tuple[int, bool, int]]:
    """Write, then end both streams, then write again in the background; return every byte."""
    expected: list[tuple[int, bool, int]] = []
    tails = [b"", b""]

    def give(stream: int, data: bytes, *, background: bool) -> None:
        expected.extend((stream, background, byte) for byte in data)

    for background in (False, True):
        for write in writes:
            buffer.append(write.stream, write.data, background=background)
            data = tails[write.stream] + write.data
            cut = len(data) - incomplete_tail(data)
            tails[write.stream] = data[cut:]
            give(write.stream, data[:cut], background=background)
        for stream in (STDOUT, STDERR):
            buffer.flush(stream, background=background)
            give(stream, tails[stream], background=background)
            tails[stream] = b""
    return expected


def _read(buffer: Buffer, offset: int, limit: int) -> list[Piece | Gap]:
    events: list[Piece | Gap] = []
    while (event := buffer.since(offset, limit)) is not None:
        events.append(event)
        offset = event.end
    return events


@given(_WRITES, st.integers(4, 50))
def test_what_was_written_is_read_in_order(writes: list[Write], limit: int) -> None:
    buffer = Buffer(1 << 20)
    expected = _fill(buffer, writes)
    read: list[tuple[int, bool, int]] = []
    for event in _read(buffer, 0, limit):
        assert isinstance(event, Piece)
        assert 0 < len(event.data) <= limit
        read.extend((STREAMS.index(event.stream), event.background, byte) for byte in event.data)
        assert event.end == len(read)
    assert read == expected
    assert buffer.end == len(expected)
    assert buffer.totals == [sum(each[0] == stream for each in expected) for stream in (0, 1)]


@given(_WRITES, st.integers(4, 50))
def test_pieces_decode_as_the_whole_does(writes: list[Write], limit: int) -> None:
    buffer = Buffer(1 << 20)
    expected = _fill(buffer, writes)
    events = [event for event in _read(buffer, 0, limit) if isinstance(event, Piece)]
    for stream in STREAMS:
        for background in (False, True):
            pieces = [e.data for e in events if (e.stream, e.background) == (stream, background)]
            whole = bytes(
                byte for s, b, byte in expected if (STREAMS[s], b) == (stream, background)
            )
            decoded = "".join(each.decode(errors="replace") for each in pieces)
            assert decoded == whole.decode(errors="replace")


@given(_WRITES, st.integers(4, 30), st.integers(4, 50), st.data())
@settings(max_examples=300)
def test_any_offset_yields_every_later_byte_or_one_exact_gap(
    writes: list[Write], capacity: int, limit: int, data: st.DataObject
) -> None:
    buffer = Buffer(capacity)
    expected = _fill(buffer, writes)
    assert buffer.end == len(expected)
    assert len(buffer) == buffer.end - buffer.start <= capacity
    # No more is evicted than was needed to keep whole characters.
    assert buffer.start == 0 or len(buffer) > capacity - 4
    offset = buffer.align(data.draw(st.integers(0, buffer.end)))
    events = _read(buffer, offset, limit)
    if offset < buffer.start:
        assert events[0] == Gap(offset, buffer.start)
        offset = events.pop(0).end
    read = b""
    for event in events:
        assert isinstance(event, Piece)
        read += event.data
    assert read == bytes(byte for _, _, byte in expected[offset:])


@given(_WRITES, st.integers(4, 50), st.data())
def test_align_finds_where_a_character_begins(
    writes: list[Write], limit: int, data: st.DataObject
) -> None:
    buffer = Buffer(1 << 20)
    _fill(buffer, writes)
    offset = data.draw(st.integers(0, buffer.end))
    aligned = buffer.align(offset)
    assert offset - 3 <= aligned <= offset
    assert buffer.align(aligned) == aligned
    if aligned != offset:
        event = buffer.since(aligned, limit)
        assert isinstance(event, Piece)
        # It begins with what a character of several bytes begins with.
        assert event.data[0] >= 0xC2


@pytest.mark.parametrize("capacity", [4, 5, 64])
def test_growing_keeps_what_is_there(capacity: int) -> None:
    buffer = Buffer(capacity)
    buffer.append(STDOUT, b"x" * capacity)
    buffer.grow(3)
    buffer.append(STDERR, b"abc")
    assert (buffer.start, buffer.end) == (0, capacity + 3)
    buffer.append(STDERR, b"d")
    assert buffer.since(0, 10) == Gap(0, 1)


def test_a_character_waits_for_its_rest() -> None:
    buffer = Buffer(100)
    buffer.append(STDOUT, "é".encode()[:1])
    buffer.append(STDERR, b"between")
    assert (buffer.end, buffer.held) == (7, 1)
    buffer.append(STDOUT, "é".encode()[1:])
    assert [event.data for event in _read(buffer, 0, 64) if isinstance(event, Piece)] == [
        b"between",
        "é".encode(),
    ]


@given(_BYTES)
def test_a_whole_character_is_never_held(data: bytes) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    try:
        decoder.decode(data)
    except UnicodeDecodeError:
        return
    assert incomplete_tail(data) == len(decoder.getstate()[0])


def test_clearing_is_an_exact_gap() -> None:
    buffer = Buffer(100)
    buffer.append(STDOUT, b"gone")
    buffer.clear()
    assert (buffer.since(1, 10), len(buffer)) == (Gap(1, 4), 0)
    buffer.append(STDERR, b"new")
    assert buffer.since(4, 10) == Piece("stderr", b"new", 7, background=False)


def test_alternating_streams_forget_old_runs() -> None:
    buffer = Buffer(64)
    for count in range(10_000):
        buffer.append(count % 2, b"x")
    assert len(_read(buffer, buffer.start, 64)) == 64
    assert buffer.tail(3) == b"xxx"
