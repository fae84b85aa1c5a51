"""Prepare text for display: strip escape sequences, escape control characters, shorten.

All functions are pure and run in linear time, whatever the text contains.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache

# The grammar is ECMA-48 (5th edition, §5.3 to §5.6), with ECMA-35 §13.2 for the escape
# sequences that have intermediate bytes. Our additions:
#
# - An operating system command may end with BEL, as in xterm.
# - A control string's payload may contain any printable character (window titles do), not only
#   ASCII. It contains no ESC and no C1: as in every terminal, these end the string. So no
#   two attempts to find a terminator read the same character, even in hostile text.
# - Of a control string without terminator only the opening is removed; the rest is text. Of an
#   incomplete sequence only the certain part is removed: its parameter and intermediate bytes.
# - After one pass no ESC and no C1 is left, so a second pass finds nothing.
_PAYLOAD = r"[\x08-\x0d\x20-\x7e\xa0-\U0010ffff]*+"
_SEQUENCE = rf"""
      (?: \x1b \]     | \x9d )               {_PAYLOAD} (?: \x07 | \x1b \\ | \x9c )  # OSC
    | (?: \x1b [PX^_] | [\x90\x98\x9e\x9f] ) {_PAYLOAD} (?: \x1b \\ | \x9c )  # DCS SOS PM APC
    | (?: \x1b \[     | \x9b )               [0-?]*+ [\x20-/]*+ [@-~]?  # CSI
    | \x1b [\x20-/]*+ [0-~]?  # everything shorter
    | [\x80-\x9f]
    """


@cache
def _sequence() -> re.Pattern[str]:
    # Compiled on first use: that takes longer than most programs that import this module run.
    return re.compile(_SEQUENCE, re.VERBOSE)


def strip_ansi(text: str) -> str:
    """Return ``text`` without its escape sequences and C1 control characters.

    Removes the 7-bit form (``ESC [ 31 m``) and the 8-bit form (``U+009B 31 m``). Every other
    character stays unchanged: letters beyond ASCII, and the C0 controls (newline, tab, carriage
    return, backspace, bell). ``strip_ansi(strip_ansi(t)) == strip_ansi(t)``.
    """
    return _sequence().sub("", text)


def printable(text: str) -> str:
    """Return ``text`` with every unprintable character escaped, except the space.

    The result is one line without commands to a terminal. A byte that is not UTF-8, which Python
    represents as a lone surrogate (PEP 383), is shown as that byte: the file name ``caf`` followed
    by the byte 0xE9 becomes ``caf\\xe9``.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def quoted(text: str) -> str:
    """Return ``printable(text)`` in quotation marks."""
    return f"'{printable(text)}'"


def utc(seconds: float) -> str:
    """Return a Unix time as text, such as ``2026-07-01 12:00:00 UTC``."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if 0x80 <= code <= 0xFF:
        return f"\\u{code:04x}"  # a character, not that byte
    return character.encode("unicode_escape").decode()


def truncate_output(text: str, max_chars: int) -> tuple[str, bool]:
    """Shorten ``text`` to its beginning and its end; also return whether it was shortened.

    If ``text`` exceeds ``max_chars`` characters, the first 40 % and the last 60 % of ``max_chars``
    remain: an error is usually at the end. A line between them, which is not counted, gives the
    number of missing characters. Raises ValueError if ``max_chars`` is negative.
    """
    if max_chars < 0:
        raise ValueError(f"max_chars must not be negative, got {max_chars}")
    missing = len(text) - max_chars
    if missing <= 0:
        return text, False
    head = head_length(max_chars)
    return text[:head] + left_out(missing) + text[head + missing :], True


def head_length(max_chars: int) -> int:
    """Return the part of ``max_chars`` that is kept of the beginning: 40 %."""
    return max_chars * 2 // 5


def left_out(missing: int) -> str:
    """Return the line that replaces ``missing`` characters."""
    return f"\n[… {missing} characters left out …]\n"
