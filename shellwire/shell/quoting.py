"""Quote bytes for a shell, and parse the quoted words that shells print; pure functions."""

from __future__ import annotations

import re

_SAFE = re.compile(rb"[A-Za-z0-9_@%+=:,./-]+\Z")
_IN_DOUBLE = re.compile(rb'\\(["$`\\\n])')
_IN_ANSI_C = re.compile(rb"\\(?:([abtnvfrEe\\'\"?])|([0-7]{1,3})|x([0-9A-Fa-f]{1,2}))")
_ANSI_C = {
    b"a": b"\a",
    b"b": b"\b",
    b"t": b"\t",
    b"n": b"\n",
    b"v": b"\v",
    b"f": b"\f",
    b"r": b"\r",
    b"E": b"\x1b",
    b"e": b"\x1b",
}
_PIECE = re.compile(
    rb"'([^']*)'"  # '...'
    rb"|\$'([^'\\]*(?:\\.[^'\\]*)*)'"  # $'...'
    rb'|"([^"\\]*(?:\\.[^"\\]*)*)"'  # "..."
    rb"|\\(.)"  # \x
    rb"|([^\s'\"\\$`;&|<>()]+)",  # bare
    re.DOTALL,
)


def quote(data: bytes) -> bytes:
    """Return ``data`` as one word that every POSIX shell reads as the same bytes."""
    if _SAFE.match(data):
        return data
    return b"'" + data.replace(b"'", b"'\\''") + b"'"


def _ansi_c(match: re.Match[bytes]) -> bytes:
    letter, octal, hexadecimal = match.groups()
    if octal:
        return bytes([int(octal, 8) & 0xFF])
    if hexadecimal:
        return bytes([int(hexadecimal, 16)])
    return _ANSI_C.get(letter, letter)


def unquote(word: bytes) -> bytes:
    """Return the bytes of a quoted word.

    Accepts the forms that shells print: ``'…'``, ``"…"``, ``$'…'`` with octal and hexadecimal
    escapes, backslashes, and any sequence of these. Raises ValueError for anything else, such as
    an unquoted special character or an unterminated quote.
    """
    if word.startswith(b'"') and word.endswith(b'"') and len(word) > 1 and b"\\" not in word:
        if b'"' in word[1:-1]:
            raise ValueError(f"not one shell word: {word[:40]!r}")
        return word[1:-1]
    out: list[bytes] = []
    position = 0
    while position < len(word):
        match = _PIECE.match(word, position)
        if match is None:
            raise ValueError(f"not a shell word: {word[position : position + 40]!r}")
        single, ansi, double, escaped, bare = match.groups()
        if single is not None:
            out.append(single)
        elif ansi is not None:
            out.append(_IN_ANSI_C.sub(_ansi_c, ansi))
        elif double is not None:
            out.append(_IN_DOUBLE.sub(rb"\1", double))
        else:
            out.append(escaped if escaped is not None else bare)
        position = match.end()
    return b"".join(out)
