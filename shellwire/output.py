"""What is done with text before it is shown: strip or escape what is not text, shorten.

All functions are pure and run in linear time, whatever the text holds.
"""

from __future__ import annotations

import re

# The grammar is ECMA-48 (5th edition, §5.3 to §5.6), with ECMA-35 §13.2 for the escape
# sequences that have intermediate bytes. What is ours:
#
# - An operating system command may end with BEL, as xterm's always could.
# - A control string's payload may hold any printable character (window titles do), not only
#   ASCII. It holds no ESC and no C1, as in every terminal: one of those ends the string. So no
#   two attempts to find a terminator ever read the same character, hostile text included.
# - A control string with no terminator is not one: only its opening goes, and what follows is
#   text. A sequence that breaks off loses what belongs to it beyond doubt: its parameter and
#   intermediate bytes.
# - After a pass no ESC and no C1 is left, thus a second pass finds nothing.
_PAYLOAD = r"[\x08-\x0d\x20-\x7e\xa0-\U0010ffff]*+"
_SEQUENCE = re.compile(
    rf"""
      (?: \x1b \]     | \x9d )               {_PAYLOAD} (?: \x07 | \x1b \\ | \x9c )  # OSC
    | (?: \x1b [PX^_] | [\x90\x98\x9e\x9f] ) {_PAYLOAD} (?: \x1b \\ | \x9c )  # DCS SOS PM APC
    | (?: \x1b \[     | \x9b )               [0-?]*+ [\x20-/]*+ [@-~]?  # CSI
    | \x1b [\x20-/]*+ [0-~]?  # everything shorter
    | [\x80-\x9f]
    """,
    re.VERBOSE,
)


def strip_ansi(text: str) -> str:
    """Return ``text`` without its escape sequences and C1 control characters.

    Takes the 7-bit form (``ESC [ 31 m``) and the 8-bit one (``U+009B 31 m``). Every other
    character stays as it is: letters beyond ASCII, and the C0 controls (newline, tab, carriage
    return, backspace, bell). ``strip_ansi(strip_ansi(t)) == strip_ansi(t)``.
    """
    return _SEQUENCE.sub("", text)


def printable(text: str) -> str:
    """Return ``text`` with every character escaped that does not print, blanks excepted.

    What comes out is one line, and says nothing to a terminal. A byte that is not UTF-8, which
    Python has as a lone surrogate (PEP 383), is written as the byte: the file name ``caf`` with the
    byte 0xE9 behind it reads ``caf\\xe9``.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def quoted(text: str) -> str:
    """Return ``text`` as ``printable`` does, between quotation marks."""
    return f"'{printable(text)}'"


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if 0x80 <= code <= 0xFF:
        return f"\\u{code:04x}"  # a character, not that byte
    return character.encode("unicode_escape").decode()


def truncate_output(text: str, max_chars: int) -> tuple[str, bool]:
    """Shorten ``text`` to its beginning and its end; also say whether that was needed.

    Beyond ``max_chars`` characters, the first 40 % and the last 60 % of ``max_chars`` remain: an
    error usually stands at the end. Between them a line of its own, which is not counted, says
    how many characters are missing. Raises ValueError if ``max_chars`` is negative.
    """
    if max_chars < 0:
        raise ValueError(f"max_chars must not be negative, got {max_chars}")
    missing = len(text) - max_chars
    if missing <= 0:
        return text, False
    head = head_length(max_chars)
    return text[:head] + left_out(missing) + text[head + missing :], True


def head_length(max_chars: int) -> int:
    """Return how many of ``max_chars`` characters are kept of the beginning: 40 %."""
    return max_chars * 2 // 5


def left_out(missing: int) -> str:
    """Return the line that stands for ``missing`` characters."""
    return f"\n[… {missing} characters left out …]\n"
