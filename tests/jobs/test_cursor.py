"""Cursors: text and bytes from any offset, compared with a model of each stream."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shellwire.jobs.buffer import STDERR, STDOUT, STREAMS, Buffer, Gap, Piece
from shellwire.jobs.cursor import Cursor

Kind = tuple[str, bool]

# One or a few bytes at a time, so that streams alternate within characters.
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
    """The bytes written, each with its stream, and the offsets where streams ended."""

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
        """Return the text that a reader from ``after`` on gets once all streams have ended."""
        rest = self.bytes_of(kind, after, len(self.written))
        held_back = b"" if self.ended[kind] < after else self.held_back(kind, after)
        return (held_back + rest).decode(errors="replace")

    def held_back(self, kind: Kind, after: int) -> bytes:
        """Return the bytes before ``after`` of a character that is incomplete there."""
        return unfinished(self.bytes_of(kind, 0, after))


def unfinished(data: bytes) -> bytes:
    """Return the bytes at the end of ``data`` that may be the start of a character."""
    for length, least in ((3, 0xF0), (2, 0xE0), (1, 0xC2)):
        lead, *others = data[-length:] or b"\0"
        are_others = len(others) == length - 1 and all(0x80 <= byte <= 0xBF for byte in others)
        if are_others and least <= lead <= 0xF4:
            return data[-length:]
    return b""


KINDS: list[Kind] = [(stream, background) for background in (False, True) for stream in STREAMS]


@dataclass
class Reader:
    """A cursor, and everything that it has returned."""

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
    """Write, end streams and read in any order, until all streams have ended and are read."""
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
def test_reading_from_any_offset(limit: int, other: int, data: st.DataObject) -> None:
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
def test_a_second_reader_continues_without_loss_or_repetition(
    limit: int, data: st.DataObject
) -> None:
    buffer, model = Buffer(1 << 20), Model(1 << 20)
    reader = Reader(Cursor(buffer, 0, text=True))
    for write in data.draw(_WRITES):
        model.write(buffer, write, background=False)
        if data.draw(st.booleans()):
            reader.take(limit)
    at = reader.ends[-1] if reader.ends else 0
    # The bytes after its last piece were held back; the second reader gets them.
    second = Reader(Cursor(buffer, buffer.align(at), text=True))
    for stream in (STDOUT, STDERR):
        model.finish(buffer, stream, background=False)
    second.drain(limit)
    for kind in KINDS:
        whole = model.bytes_of(kind, 0, len(model.written))
        assert reader.texts[kind] + second.texts[kind] == whole.decode(errors="replace")


@given(st.integers(4, 20), st.integers(1, 9), st.data())
@settings(max_examples=100, deadline=None)
def test_evicted_bytes_are_one_exact_gap(capacity: int, limit: int, data: st.DataObject) -> None:
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
        # The gap ends where the first whole character begins.
        assert buffer.start <= gap.end <= buffer.start + 3
        skipped = {(kind, byte & 0xC0) for kind, byte in model.written[buffer.start : gap.end]}
        assert len(skipped) <= 1
        assert all(top == 0x80 for _, top in skipped)
        assert not skipped or model.held_back((*skipped,)[0][0], buffer.start)
        for kind in KINDS:
            assert reader.texts[kind] == model.text_from(kind, gap.end)


def test_a_gap_up_to_the_end_of_a_stream_keeps_its_incomplete_character() -> None:
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


def test_incomplete_characters_are_held_back_in_text_but_not_in_bytes() -> None:
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
    # An incomplete character may be followed by bytes that do not complete it.
    buffer.append(STDOUT, b"\xe2")
    buffer.append(STDOUT, b"d")
    assert _pieces(text) == [(b"\xe2d", 9)]


@pytest.mark.parametrize("after", [2, 3])
def test_every_reader_gets_an_incomplete_character_once_when_its_stream_ends(after: int) -> None:
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
    # The other stream continues.
    buffer.append(STDERR, b"\xa9")
    assert _pieces(live) == [("é".encode(), 4)]
    assert _pieces(Cursor(buffer, 4, text=True)) == []


def test_looking_back_takes_bounded_time() -> None:
    buffer = Buffer(1 << 20)
    for _ in range(50_000):
        buffer.append(STDOUT, b"\x80")
        buffer.append(STDERR, b"\x80")
    for count in range(2000):
        buffer.append(STDOUT, b"x", background=True)
        # stderr has written nothing in the background: the 100,000 older runs are not searched.
        assert buffer.since(buffer.end - 1, 1, text=True) is not None, count
        assert not buffer.finish(STDERR, background=True)
