"""``shellwire.output``: escape sequences leave, text stays."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shellwire.output import printable, quoted, strip_ansi, truncate_output

ESC = "\x1b"
ST = f"{ESC}\\"

SEQUENCES = [
    f"{ESC}[m",
    f"{ESC}[1;38;5;208m",
    f"{ESC}[38:2::255:0:0m",
    f"{ESC}[?2004h",
    f"{ESC}[>4;2m",
    f"{ESC}[2 q",
    f"{ESC}[200~",
    f"{ESC}[!p",
    "\x9b31m",
    f"{ESC}]0;title — é…{ST}",
    f"{ESC}]8;;https://example.com/?a=b\x07",
    "\x9d2;title\x9c",
    f"{ESC}Pq#0;2;0;0;0~~@@vv\r\n-{ST}",
    "\x90$q\x9c",
    f"{ESC}_Gf=24;AAAA{ST}",
    f"{ESC}^note{ST}",
    f"{ESC}Xanything{ST}",
    f"{ESC}(B",
    f"{ESC}#8",
    f"{ESC} F",
    f"{ESC}%G",
    f"{ESC}7",
    f"{ESC}=",
    f"{ESC}c",
    f"{ESC}M",
    ST,
    "\x84",
    "\x9c",
]

plain = st.text(st.characters(exclude_characters=ESC, exclude_categories=())).map(
    lambda text: re.sub("[\x80-\x9f]", "", text)
)
hostile = st.text(st.sampled_from([*"\x1b\x07\x08\n []P(\\^_X;01mé…\x90\x9b\x9c\x9d\x9f"]))


@pytest.mark.parametrize("sequence", SEQUENCES, ids=ascii)
def test_a_sequence_leaves_and_its_neighbours_stay(sequence: str) -> None:
    assert strip_ansi(f"é{sequence}…") == "é…"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"a{ESC}]0;no terminator\nplain text", "a0;no terminator\nplain text"),
        (f"a{ESC}P no terminator{ESC}[1mb", "a no terminatorb"),
        (f"a\x9dno terminator\x9b1mb{ST}", "ano terminatorb"),
        (f"a{ESC}]0;one{ESC}]0;two\x07b", "a0;oneb"),
        (f"a{ESC}Pbell ends only OSC\x07b", "abell ends only OSC\x07b"),
        (f"a{ESC}[31", "a"),
        (f"a{ESC}[31é", "aé"),
        (f"a{ESC}[3\n1m", "a\n1m"),
        (f"a{ESC}", "a"),
        (f"a{ESC}é", "aé"),
        (f"a{ESC}{ESC}[Ab", "ab"),
        (f"a{ESC}{ESC}[m[31mb", "a[31mb"),
        (f"a{ESC}\nb", "a\nb"),
        ("a\tb\r\nc\x08\x07\x00d\x7f", "a\tb\r\nc\x08\x07\x00d\x7f"),
    ],
    ids=ascii,
)
def test_what_is_not_a_whole_sequence_swallows_no_text(text: str, left: str) -> None:
    assert strip_ansi(text) == left


@given(plain)
def test_plain_text_is_never_eaten(text: str) -> None:
    assert strip_ansi(text) == text


@given(hostile)
def test_a_second_pass_finds_nothing(text: str) -> None:
    once = strip_ansi(text)
    assert strip_ansi(once) == once
    assert not re.search("[\x1b\x80-\x9f]", once)


@given(st.lists(st.tuples(plain, st.sampled_from(SEQUENCES))))
def test_text_between_sequences_comes_back(pieces: list[tuple[str, str]]) -> None:
    mixed = "".join(text + sequence for text, sequence in pieces)
    assert strip_ansi(mixed) == "".join(text for text, _ in pieces)


@pytest.mark.parametrize(
    ("piece", "left"),
    [
        (f"{ESC}]", ""),
        ("\x9d", ""),
        (f"{ESC}P", ""),
        (f"{ESC}[", ""),
        (f"{ESC}[1;", ""),
        (f"{ESC} ", ""),
        (f"{ESC}]a", "a"),
        (f"{ESC}]{ESC}{ESC}", ""),
    ],
    ids=ascii,
)
def test_hostile_repetition_ends(piece: str, left: str) -> None:
    """Quadratic matching would need minutes for this, and meet the suite's time limit."""
    times = 400_000
    assert strip_ansi(piece * times) == left * times


def test_one_long_unterminated_string_ends() -> None:
    text = "x" * 2_000_000
    assert strip_ansi(f"{ESC}]{text}") == text
    assert strip_ansi(f"{ESC}[{'1' * 2_000_000}") == ""


@given(st.text(st.characters(exclude_categories=())))
def test_what_is_made_printable_prints(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)


def test_only_what_does_not_print_is_escaped() -> None:
    assert printable("é… 🦀 \\n") == "é… 🦀 \\n"
    assert printable("a\n\x1b[2J\x9b\u2028\ud800") == r"a\n\x1b[2J\u009b\u2028\ud800"


def test_a_byte_of_a_name_that_is_not_utf_8_is_written_as_the_byte() -> None:
    assert printable(b"caf\xe9".decode("utf-8", "surrogateescape")) == r"caf\xe9"
    assert quoted(b"a\xff\n".decode("utf-8", "surrogateescape")) == r"'a\xff\n'"
    assert printable("caf\u0085") == r"caf\u0085"  # a character, which has two bytes


@pytest.mark.parametrize("max_chars", [10, 11, 100])
def test_short_output_is_left_alone(max_chars: int) -> None:
    assert truncate_output("0123456789", max_chars) == ("0123456789", False)


def test_long_output_keeps_two_fifths_and_three_fifths() -> None:
    text, truncated = truncate_output("a" * 500 + "b" * 500, 100)
    assert truncated
    head, notice, tail = text.split("\n")
    assert (head, tail) == ("a" * 40, "b" * 60)
    assert "900" in notice


@given(st.text(), st.integers(min_value=0, max_value=50))
def test_what_is_counted_as_missing_is_missing(text: str, max_chars: int) -> None:
    shortened, truncated = truncate_output(text, max_chars)
    assert truncated == (len(text) > max_chars)
    if not truncated:
        assert shortened == text
        return
    head = max_chars * 2 // 5
    tail = max_chars - head
    notice = shortened[head : len(shortened) - tail]
    assert shortened.startswith(text[:head])
    assert shortened.endswith(text[len(text) - tail :])
    assert notice.startswith("\n")
    assert notice.endswith("\n")
    assert notice.count("\n") == 2
    assert re.findall(r"\d+", notice) == [str(len(text) - max_chars)]


def test_a_negative_limit_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="negative"):
        truncate_output("text", -1)
