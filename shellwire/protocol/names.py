"""Names of files in messages: a name may be any bytes, a message holds text.

What is UTF-8 stands as it is. A byte that is not, 0x80 to 0xFF, is written as U+EF80 to U+EFFF,
characters for private use that every JSON parser carries. So that no two names look the same, such
a character in a name is taken for the three bytes that it has, and each is written so.
"""

from __future__ import annotations

import re

_FIRST, _LAST = 0xEF80, 0xEFFF
_OFFSET = 0xEF00
_PRIVATE = re.compile(f"[{chr(_FIRST)}-{chr(_LAST)}]")
_SURROGATE = re.compile("[\udc80-\udcff]")


def decode_name(text: str) -> bytes:
    """Return the bytes that ``text`` stands for."""
    escaped = _PRIVATE.sub(lambda found: chr(ord(found[0]) - _OFFSET + 0xDC00), text)
    return escaped.encode("utf-8", "surrogateescape")


def encode_name(name: bytes) -> str:
    """Return the text that stands for ``name``."""
    text = name.decode("utf-8", "surrogateescape")
    if text.isascii():
        return text
    text = _PRIVATE.sub(
        lambda found: "".join(chr(0xDC00 + byte) for byte in found[0].encode()), text
    )
    return _SURROGATE.sub(lambda found: chr(ord(found[0]) - 0xDC00 + _OFFSET), text)
