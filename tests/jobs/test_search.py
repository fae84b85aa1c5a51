"""Search for a text in two interleaved streams, compared with each stream as a whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shellwire.jobs.buffer import STDERR, STDOUT, STREAMS, Buffer, Piece
from shellwire.jobs.search import Search, match_start

_TEXTS = st.text("ab", min_size=1, max_size=5).map(str.encode)
_WRITES = st.lists(
    st.tuples(st.sampled_from([STDOUT, STDERR]), st.text("ab", max_size=6).map(str.encode)),
    max_size=12,
)


def _pieces(writes: list[tuple[int, bytes]], limit: int) -> list[Piece]:
    buffer = Buffer(1 << 20)
    for stream, data in writes:
        buffer.append(stream, data)
    pieces, at = [], 0
    while (piece := buffer.since(at, limit)) is not None:
        assert isinstance(piece, Piece)
        pieces.append(piece)
        at = piece.end
    return pieces


def _offsets(pieces: list[Piece], stream: str) -> tuple[bytes, list[int]]:
    """Return the bytes of a stream, and the offset of each."""
    own = [piece for piece in pieces if piece.stream == stream]
    offsets = [at for piece in own for at in range(piece.end - len(piece.data), piece.end)]
    return b"".join(piece.data for piece in own), offsets


@given(_WRITES, _TEXTS, st.integers(1, 8))
def test_the_first_end_of_the_text(
    writes: list[tuple[int, bytes]], text: bytes, limit: int
) -> None:
    pieces = _pieces(writes, limit)
    search = Search(text)
    found = next((end for end in map(search.feed, pieces) if end is not None), None)
    expected = []
    for stream in STREAMS:
        data, offsets = _offsets(pieces, stream)
        at = data.find(text)
        if at >= 0:
            expected.append(offsets[at + len(text) - 1] + 1)
    assert found == min(expected, default=None)


@given(_WRITES.filter(lambda writes: any(data for _, data in writes)), _TEXTS, st.integers(1, 8))
def test_where_an_unfinished_text_may_begin(
    writes: list[tuple[int, bytes]], text: bytes, limit: int
) -> None:
    pieces = _pieces(writes, limit)
    expected = [pieces[-1].end]
    for stream in STREAMS:
        data, offsets = _offsets(pieces, stream)
        starts = (at for at in range(len(data)) if text.startswith(data[at:]) and data[at:] != text)
        expected += [offsets[at] for at in starts]
    assert match_start(pieces, text) == min(expected)
