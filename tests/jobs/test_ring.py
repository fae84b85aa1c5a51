"""A ring behaves like a queue of bytes, within its limits of memory."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shellwire.jobs.ring import Ring

ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 1500)),
        st.tuples(st.just("drop"), st.integers(0, 1500)),
        st.tuples(st.just("clear"), st.just(0)),
    ),
    max_size=30,
)


@example(0, [("append", 0)], 0, 0)
@given(st.integers(0, 2000), ACTS, st.integers(0, 3000), st.integers(0, 3000))
def test_the_ring_is_a_queue(
    usual: int, acts: list[tuple[str, int]], begin: int, stop: int
) -> None:
    ring, queue, number = Ring(usual), bytearray(), 0
    for act, count in acts:
        if act == "append":
            data = bytes((number + each) % 251 for each in range(count))
            number += count
            ring.append(data)
            queue += data
        elif act == "drop":
            ring.drop(min(count, len(queue)))
            del queue[: min(count, len(queue))]
        else:
            ring.clear()
            queue.clear()
        assert len(ring) == len(queue)
        assert ring.read(0, len(ring)) == queue
        inside = slice(min(begin, len(queue)), min(stop, len(queue)))
        assert ring.read(inside.start, inside.stop) == queue[inside]
        if queue:
            assert (ring[0], ring[len(ring) - 1]) == (queue[0], queue[-1])
        for outside in (-1, len(queue)):
            with pytest.raises(IndexError):
                ring[outside]


def test_its_store_grows_no_further_than_it_must() -> None:
    ring = Ring(10_000)
    for _ in range(1000):
        ring.append(b"x" * 700)
        if len(ring) > 9000:
            ring.drop(700)
    assert len(ring._store) == 10_000
    ring.append(b"x" * 20_000)
    assert len(ring._store) == len(ring)
