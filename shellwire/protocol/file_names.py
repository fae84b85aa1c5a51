"""Encode file names for messages: a name may be any bytes, a message holds text.

Valid UTF-8 is written unchanged. Any other byte, 0x80 to 0xFF, becomes U+EF80 to U+EFFF:
private-use characters that every JSON parser accepts. To keep the encoding unambiguous, such a
character in a name is encoded as its three UTF-8 bytes, each written the same way.
"""

from __future__ import annotations

import re

_FIRST, _LAST = 0xEF80, 0xEFFF
_OFFSET = 0xEF00
_PRIVATE = re.compile(f"[{chr(_FIRST)}-{chr(_LAST)}]")
_SURROGATE = re.compile("[\udc80-\udcff]")


def decode_name(text: str) -> bytes:
    """Return the file name that ``text`` encodes."""
    escaped = _PRIVATE.sub(lambda found: chr(ord(found[0]) - _OFFSET + 0xDC00), text)
    return escaped.encode("utf-8", "surrogateescape")


def encode_name(name: bytes) -> str:
    """Return the text that encodes ``name``."""
    text = name.decode("utf-8", "surrogateescape")
    if text.isascii():
        return text
    text = _PRIVATE.sub(
        lambda found: "".join(chr(0xDC00 + byte) for byte in found[0].encode()), text
    )
    return _SURROGATE.sub(lambda found: chr(ord(found[0]) - 0xDC00 + _OFFSET), text)
