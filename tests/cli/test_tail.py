"""The last lines of a job's output, for any division into chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from shellwire.cli.tail import split_lines
from shellwire.client import Chunk

if TYPE_CHECKING:
    from shellwire.client.results import Stream

STREAMS: list[Stream] = ["stdout", "stderr"]


def chunks(pieces: list[tuple[Stream, bytes]]) -> list[Chunk]:
    """Return the pieces as chunks with offsets."""
    found, end = [], 0
    for stream, data in pieces:
        end += len(data)
        found.append(Chunk(stream, data, data.decode(), end))
    return found


PIECES = st.lists(
    st.tuples(st.sampled_from(STREAMS), st.text("ab\n", max_size=6).map(str.encode)), max_size=8
)


@given(pieces=PIECES)
def test_nothing_is_lost_and_each_line_ends_where_it_says(
    pieces: list[tuple[Stream, bytes]],
) -> None:
    lines = split_lines(chunks(pieces))
    for stream in STREAMS:
        whole = b"".join(data for each, data in pieces if each == stream)
        mine = [line for line in lines if line.stream == stream]
        assert b"".join(line.data for line in mine) == whole
        assert [line.data for line in mine] == whole.splitlines(keepends=True)
        assert [line.is_first for line in mine] == [number == 0 for number in range(len(mine))]
    assert [line.end for line in lines] == sorted(line.end for line in lines)
    everything = b"".join(data for _, data in pieces)
    for line in lines:
        assert everything[: line.end].endswith(line.data[-1:])


def test_a_line_counts_where_it_ends() -> None:
    pieces: list[tuple[Stream, bytes]] = [("stdout", b"a"), ("stderr", b"x\n"), ("stdout", b"b\nc")]
    found = [(line.stream, line.data) for line in split_lines(chunks(pieces))]
    assert found == [("stderr", b"x\n"), ("stdout", b"ab\n"), ("stdout", b"c")]
