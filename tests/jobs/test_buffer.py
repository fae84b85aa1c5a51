"""The buffer, compared with a plain list of bytes: offsets, characters, eviction, gaps."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shellwire.jobs.buffer import STDERR, STDOUT, STREAMS, Buffer, Gap, Piece

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
    for background in (False, True):
        for write in writes:
            buffer.append(write.stream, write.data, background=background)
            expected.extend((write.stream, background, byte) for byte in write.data)
        for stream in (STDOUT, STDERR):
            buffer.finish(stream, background=background)
    return expected


def _read(buffer: Buffer, offset: int, limit: int) -> list[Piece | Gap]:
    events: list[Piece | Gap] = []
    while (event := buffer.since(offset, limit)) is not None:
        events.append(event)
        offset = event.end
    return events


@given(_WRITES, st.integers(1, 50))
def test_bytes_are_read_in_the_order_written(writes: list[Write], limit: int) -> None:
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


@given(_WRITES, st.integers(4, 30), st.integers(1, 50), st.data())
@settings(max_examples=100, deadline=None)
def test_any_offset_yields_every_later_byte_or_one_exact_gap(
    writes: list[Write], capacity: int, limit: int, data: st.DataObject
) -> None:
    buffer = Buffer(capacity)
    expected = _fill(buffer, writes)
    assert buffer.end == len(expected)
    assert len(buffer) == buffer.end - buffer.start == min(capacity, len(expected))
    offset = data.draw(st.integers(0, buffer.end))
    events = _read(buffer, offset, limit)
    if offset < buffer.start:
        assert events[0] == Gap(offset, buffer.start)
        offset = events.pop(0).end
    read = b""
    for event in events:
        assert isinstance(event, Piece)
        read += event.data
    assert read == bytes(byte for _, _, byte in expected[offset:])


@given(_WRITES, st.data())
def test_align_finds_where_a_character_begins(writes: list[Write], data: st.DataObject) -> None:
    buffer = Buffer(1 << 20)
    expected = _fill(buffer, writes)
    offset = data.draw(st.integers(0, buffer.end))
    aligned = buffer.align(offset)
    assert offset - 3 <= aligned <= offset
    assert buffer.align(aligned) == aligned
    if aligned != offset:
        # The bytes from there to ``offset`` are of one stream, and may be one character.
        (lead, *rest) = (byte for _, _, byte in expected[aligned : offset + 1])
        assert lead >= 0xC2
        assert all(0x80 <= byte <= 0xBF for byte in rest)
        assert len({each[:2] for each in expected[aligned : offset + 1]}) == 1


@pytest.mark.parametrize(
    ("writes", "offset", "aligned"),
    [
        ([(STDOUT, "a€".encode())], 2, 1),
        ([(STDOUT, "a€".encode())], 4, 4),
        ([(STDOUT, b"a\xe2\x82")], 2, 1),
        # The end stays: the character may still be completed, and looking back finds its start.
        ([(STDOUT, b"a\xe2\x82")], 3, 3),
        # Moving back past the other stream's byte would read that byte twice.
        ([(STDOUT, b"\xe2"), (STDERR, b"x"), (STDOUT, b"\x82\xac")], 1, 1),
        ([(STDOUT, b"\xe2"), (STDERR, b"x"), (STDOUT, b"\x82\xac")], 2, 2),
        ([(STDOUT, b"\xe2"), (STDERR, b"x"), (STDOUT, b"\x82\xac")], 3, 3),
        # Moving back would read the incomplete character before it twice.
        ([(STDOUT, b"\xe2\xe2\x82\xac")], 2, 2),
        # The first byte of the other stream does not begin this character.
        ([(STDOUT, b"\xf0"), (STDERR, b"\x9f\x98\x80")], 2, 2),
    ],
)
def test_where_align_cuts(writes: list[tuple[int, bytes]], offset: int, aligned: int) -> None:
    buffer = Buffer(64)
    for stream, data in writes:
        buffer.append(stream, data)
    assert buffer.align(offset) == aligned


@pytest.mark.parametrize("capacity", [4, 5, 64])
def test_growing_keeps_the_content(capacity: int) -> None:
    buffer = Buffer(capacity)
    buffer.append(STDOUT, b"x" * capacity)
    buffer.grow(3)
    buffer.append(STDERR, b"abc")
    assert (buffer.start, buffer.end) == (0, capacity + 3)
    buffer.append(STDERR, b"d")
    assert buffer.since(0, 10) == Gap(0, 1)


def test_every_byte_has_its_offset_as_soon_as_it_is_read() -> None:
    buffer = Buffer(100)
    buffer.append(STDOUT, b"\xc3")
    assert (buffer.end, buffer.totals) == (1, [1, 0])
    assert buffer.since(0, 64) == Piece("stdout", b"\xc3", 1, background=False)


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
