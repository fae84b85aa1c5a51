"""A collector of pieces keeps the same text as truncate_output keeps of the whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shellwire.jobs.collect import Collector
from shellwire.output import truncate_output


@given(st.lists(st.text(max_size=20), max_size=30), st.integers(0, 120))
def test_pieces_give_the_same_text_as_the_whole(pieces: list[str], max_chars: int) -> None:
    collector = Collector(max_chars)
    for piece in pieces:
        collector.add(piece)
    assert collector.finish() == truncate_output("".join(pieces), max_chars)


def test_memory_is_bounded() -> None:
    collector = Collector(1000)
    for _ in range(10_000):
        collector.add("x" * 100)
    text, truncated = collector.finish()
    assert truncated
    assert len(text) < 1100
    assert sum(map(len, collector._tail)) < 1000
