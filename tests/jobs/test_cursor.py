"""Text and bytes of one output, from any offset on, against the bytes of each stream."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shellwire.jobs.buffer import STDERR, STDOUT, STREAMS, Buffer, Gap, Piece
from shellwire.jobs.cursor import Cursor

Kind = tuple[str, bool]

# A byte or a few of them at a time, so that the streams meet inside characters.
_BYTES = st.one_of(
    st.sampled_from(
        [b"a", b"\xe2", b"\x82", b"\xac", b"\xf0", b"\x9f\x98", b"\x80", b"\xc3", b"\xff"]
    ),
    st.sampled_from(["a€", "é", "😀"]).map(str.encode),
    st.binary(min_size=1, max_size=6),
)
_STREAMS = st.sampled_from([STDOUT, STDERR])


@dataclass(frozen=True)
class Write:
    stream: int
    data: bytes


_WRITES = st.lists(st.builds(Write, _STREAMS, _BYTES), max_size=10)
_ENDS = st.lists(_STREAMS, max_size=2)
_CHANCES = st.booleans()


@dataclass
class Model:
    """What was written: each byte with its stream, and where streams ended."""

    capacity: int
    written: list[tuple[Kind, int]] = field(default_factory=list)
    ended: dict[Kind, int] = field(default_factory=dict)

    def write(self, buffer: Buffer, write: Write, *, background: bool) -> None:
        kind = (STREAMS[write.stream], background)
        if kind not in self.ended:
            buffer.append(write.stream, write.data, background=background)
            self.written += [(kind, byte) for byte in write.data]

    def finish(self, buffer: Buffer, stream: int, *, background: bool) -> None:
        buffer.finish(stream, background=background)
        self.ended.setdefault((STREAMS[stream], background), len(self.written))

    def bytes_of(self, kind: Kind, begin: int, end: int) -> bytes:
        return bytes(byte for whose, byte in self.written[begin:end] if whose == kind)

    def text_from(self, kind: Kind, after: int) -> str:
        """Return what a reader from ``after`` on gets once all streams have ended."""
        rest = self.bytes_of(kind, after, len(self.written))
        waits = b"" if self.ended[kind] < after else self.waits(kind, after)
        return (waits + rest).decode(errors="replace")

    def waits(self, kind: Kind, after: int) -> bytes:
        """Return what has come before ``after`` of a character whose rest may follow."""
        return unfinished(self.bytes_of(kind, 0, after))


def unfinished(data: bytes) -> bytes:
    """Return what of the end of ``data`` other bytes may complete to a character."""
    for length, least in ((3, 0xF0), (2, 0xE0), (1, 0xC2)):
        lead, *others = data[-length:] or b"\0"
        are_others = len(others) == length - 1 and all(0x80 <= byte <= 0xBF for byte in others)
        if are_others and least <= lead <= 0xF4:
            return data[-length:]
    return b""


KINDS: list[Kind] = [(stream, background) for background in (False, True) for stream in STREAMS]


@dataclass
class Reader:
    """A cursor, and all that it has taken."""

    cursor: Cursor
    texts: dict[Kind, str] = field(default_factory=lambda: dict.fromkeys(KINDS, ""))
    ends: list[int] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def take(self, limit: int) -> bool:
        before = self.cursor.offset
        event = self.cursor.take(limit)
        if isinstance(event, Gap):
            self.gaps.append(event)
        elif event is not None:
            assert event.end == self.cursor.offset <= before + limit
            self.texts[event.stream, event.background] += event.data.decode(errors="replace")
            if event.data:
                self.ends.append(event.end)
        return event is not None

    def drain(self, limit: int) -> None:
        while self.take(limit):
            pass


def _play(
    data: st.DataObject, buffer: Buffer, model: Model, readers: list[Reader], limit: int
) -> None:
    """Write, end streams and read in any order; at last all has ended and been read."""
    for background in (False, True):
        ends = data.draw(_ENDS)
        for write in data.draw(_WRITES):
            model.write(buffer, write, background=background)
            ends_now = data.draw(_CHANCES)
            if ends and ends_now:
                model.finish(buffer, ends.pop(), background=background)
            for reader in readers:
                for _ in range(data.draw(st.integers(0, 3))):
                    reader.take(limit)
        for stream in (STDOUT, STDERR):
            model.finish(buffer, stream, background=background)
    for reader in readers:
        reader.drain(limit)


@given(st.integers(1, 9), st.data())
@settings(max_examples=100, deadline=None)
def test_a_live_reader_gets_the_text_of_each_stream(limit: int, data: st.DataObject) -> None:
    buffer, model = Buffer(1 << 20), Model(1 << 20)
    reader = Reader(Cursor(buffer, 0, text=True))
    _play(data, buffer, model, [reader], limit)
    for kind in KINDS:
        whole = model.bytes_of(kind, 0, len(model.written))
        assert reader.texts[kind] == whole.decode(errors="replace")
    assert reader.ends == sorted(reader.ends)
    assert reader.cursor.has_read(len(model.written))


@given(st.integers(1, 9), st.integers(1, 9), st.data())
@settings(max_examples=100, deadline=None)
def test_from_any_offset_on(limit: int, other: int, data: st.DataObject) -> None:
    buffer, model = Buffer(1 << 20), Model(1 << 20)
    _play(data, buffer, model, [], limit)
    for after in range(buffer.end + 1):
        reader = Reader(Cursor(buffer, after, text=True))
        reader.drain(limit)
        again = Reader(Cursor(buffer, after, text=True))
        again.drain(other)
        for kind in KINDS:
            assert reader.texts[kind] == again.texts[kind] == model.text_from(kind, after)


@given(st.integers(1, 9), st.data())
@settings(max_examples=100, deadline=None)
def test_who_goes_on_at_the_last_end_gets_every_later_byte_once(
    limit: int, data: st.DataObject
) -> None:
    buffer, model = Buffer(1 << 20), Model(1 << 20)
    reader = Reader(Cursor(buffer, 0, text=True))
    for write in data.draw(_WRITES):
        model.write(buffer, write, background=False)
        if data.draw(st.booleans()):
            reader.take(limit)
    at = reader.ends[-1] if reader.ends else 0
    # What follows its last end was passed over, and is not lost to who begins there.
    second = Reader(Cursor(buffer, buffer.align(at), text=True))
    for stream in (STDOUT, STDERR):
        model.finish(buffer, stream, background=False)
    second.drain(limit)
    for kind in KINDS:
        whole = model.bytes_of(kind, 0, len(model.written))
        assert reader.texts[kind] + second.texts[kind] == whole.decode(errors="replace")


@given(st.integers(4, 20), st.integers(1, 9), st.data())
@settings(max_examples=100, deadline=None)
def test_eviction_is_one_exact_gap(capacity: int, limit: int, data: st.DataObject) -> None:
    buffer, model = Buffer(capacity), Model(capacity)
    _play(data, buffer, model, [], limit)
    for after in range(buffer.end + 1):
        reader = Reader(Cursor(buffer, after, text=True))
        reader.drain(limit)
        if after >= buffer.start:
            assert reader.gaps == []
            continue
        (gap,) = reader.gaps
        assert gap.start == after
        # It ends where the first character begins that is whole.
        assert buffer.start <= gap.end <= buffer.start + 3
        skipped = {(kind, byte & 0xC0) for kind, byte in model.written[buffer.start : gap.end]}
        assert len(skipped) <= 1
        assert all(top == 0x80 for _, top in skipped)
        assert not skipped or model.waits((*skipped,)[0][0], buffer.start)
        for kind in KINDS:
            assert reader.texts[kind] == model.text_from(kind, gap.end)


def test_a_gap_that_ends_where_a_stream_did_brings_what_whoever_begins_there_gets() -> None:
    buffer = Buffer(4)
    buffer.append(STDOUT, b"a\xc2")
    buffer.finish(STDOUT)
    buffer.append(STDOUT, b"bcde", background=True)
    late, there = (Reader(Cursor(buffer, after, text=True)) for after in (0, 2))
    late.drain(9)
    there.drain(9)
    assert [(gap.start, gap.end) for gap in late.gaps] == [(0, 2)]
    assert late.texts == there.texts
    assert "\ufffd" in "".join(late.texts.values())


def _pieces(cursor: Cursor) -> list[tuple[bytes, int]]:
    taken = []
    while isinstance(event := cursor.take(64), Piece):
        if event.data:
            taken.append((event.data, event.end))
    return taken


def test_what_is_unfinished_is_passed_over_by_text_and_given_at_once_as_bytes() -> None:
    buffer = Buffer(64)
    text, raw = Cursor(buffer, 0, text=True), Cursor(buffer, 0, text=False)
    buffer.append(STDOUT, b"ab\xe2")
    assert (_pieces(text), _pieces(raw)) == ([(b"ab", 3)], [(b"ab\xe2", 3)])
    buffer.append(STDERR, b"x")
    assert _pieces(text) == [(b"x", 4)]
    buffer.append(STDOUT, b"\x82")
    assert (_pieces(text), text.offset) == ([], 5)
    buffer.append(STDOUT, b"\xacc")
    assert _pieces(text) == [(b"\xe2\x82\xacc", 7)]
    assert _pieces(raw) == [(b"x", 4), (b"\x82\xacc", 7)]
    # Other bytes may follow than those that would have completed it.
    buffer.append(STDOUT, b"\xe2")
    buffer.append(STDOUT, b"d")
    assert _pieces(text) == [(b"\xe2d", 9)]


@pytest.mark.parametrize("after", [2, 3])
def test_a_streams_end_is_told_once_to_who_was_there_and_to_who_comes(after: int) -> None:
    buffer = Buffer(64)
    buffer.append(STDERR, b"\xc3")
    buffer.append(STDOUT, b"a\xe2")
    live = Cursor(buffer, 0, text=True)
    assert _pieces(live) == [(b"a", 3)]
    assert live.has_read(3)
    buffer.finish(STDOUT)
    buffer.finish(STDOUT)
    assert not live.has_read(3)
    assert _pieces(live) == [(b"\xe2", 3)]
    assert live.has_read(3)
    assert _pieces(Cursor(buffer, after, text=True)) == [(b"\xe2", 3)]
    assert _pieces(Cursor(buffer, after, text=False)) == [(b"\xe2", 3)][: 3 - after]
    # The other stream goes on, before it and after it.
    buffer.append(STDERR, b"\xa9")
    assert _pieces(live) == [("é".encode(), 4)]
    assert _pieces(Cursor(buffer, 4, text=True)) == []


def test_looking_back_is_quick_whatever_lies_behind() -> None:
    buffer = Buffer(1 << 20)
    for _ in range(50_000):
        buffer.append(STDOUT, b"\x80")
        buffer.append(STDERR, b"\x80")
    for count in range(2000):
        buffer.append(STDOUT, b"x", background=True)
        # It has written nothing in the background: a hundred thousand pieces are not looked at.
        assert buffer.since(buffer.end - 1, 1, text=True) is not None, count
        assert not buffer.finish(STDERR, background=True)
