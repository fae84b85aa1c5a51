"""Escape keys and terminal replies, in input split anywhere."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shellwire.cli.terminal_input import STATUS_REQUEST, EscapeParser, ReplyFilter

ANSWERS = [
    b"\x1b[24;80R",  # cursor position
    b"\x1b[?1;2c",  # device attributes
    b"\x1b[>41;366;0c",
    b"\x1b[0n",
    b"\x1b[?2004;1$y",
    b"\x1b[8;24;80t",
    b"\x1b[?1u",
    b"\x1b[I",
    b"\x1b[O",
    b"\x1b]11;rgb:0000/0000/0000\x1b\\",
    b"\x1b]10;rgb:ffff/ffff/ffff\x07",
    b"\x1bP1$r0m\x1b\\",
    b"\x1b_Gi=1;OK\x1b\\",
]
KEYS = [b"a", b"\r", b"\x03", b"\x1b[A", b"\x1bOP", b"\x1b[5~", b"\x1bx", "é".encode(), b"~"]


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut data at these offsets."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


@pytest.mark.parametrize(
    ("typed", "sent", "found"),
    [
        (b"ls\r", b"ls\r", []),
        (b"~.", b"", ["detach"]),
        (b"ls\r~.more", b"ls\r", ["detach"]),
        (b"ls\n~?~.", b"ls\n", ["help", "detach"]),
        (b"a~.", b"a~.", []),
        (b"~~.", b"~.", []),
        (b"~a", b"~a", []),
        (b"~\r~.", b"~\r", ["detach"]),
        (b"cd ~\r", b"cd ~\r", []),
    ],
)
@given(cuts=st.lists(st.integers(0, 20), max_size=5))
def test_escapes(typed: bytes, sent: bytes, found: list[str], cuts: list[int]) -> None:
    escapes = EscapeParser()
    out, seen = b"", list[str]()
    for piece in pieces(typed, cuts):
        kept, these = escapes.feed(piece)
        out += kept
        seen += these
        if "detach" in these:
            break
    assert (out, seen) == (sent, found)


@given(
    typed=st.lists(st.sampled_from(KEYS + ANSWERS), max_size=12),
    after=st.lists(st.sampled_from(KEYS + ANSWERS), max_size=4),
    cuts=st.lists(st.integers(0, 200), max_size=8),
)
def test_answers_to_a_replay_are_dropped(
    typed: list[bytes], after: list[bytes], cuts: list[int]
) -> None:
    replies = ReplyFilter()
    replies.active = True
    typed = [each for each in typed if each != b"\x1b[0n"]
    data = b"".join(typed)
    assert replies.end_replay() == STATUS_REQUEST
    kept = b"".join(replies.feed(piece) for piece in pieces(data, cuts))
    # After the last reply everything passes, further replies too.
    kept += replies.feed(b"\x1b[0n" + b"".join(after))
    assert kept == b"".join([*(each for each in typed if each in KEYS), *after])
    assert not replies.active


@given(data=st.binary(max_size=100), cuts=st.lists(st.integers(0, 100), max_size=5))
def test_without_a_replay_everything_passes(data: bytes, cuts: list[int]) -> None:
    replies = ReplyFilter()
    assert b"".join(map(replies.feed, pieces(data, cuts))) == data


@given(typed=st.lists(st.sampled_from(KEYS), max_size=12), cuts=st.lists(st.integers(0, 40)))
def test_a_terminal_that_answers_nothing_loses_no_key(typed: list[bytes], cuts: list[int]) -> None:
    replies = ReplyFilter()
    replies.active = True
    # An ESC alone may begin a reply: it is held back until the wait for replies is over.
    data = b"".join(typed) + b"\x1b"
    kept = b"".join(map(replies.feed, pieces(data, cuts)))
    assert kept + replies.stop() == data
    assert replies.feed(b"\x1b[1;1R") == b"\x1b[1;1R"
