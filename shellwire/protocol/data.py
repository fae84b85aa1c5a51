"""Encode and decode a job's bytes in a message: as UTF-8 text or base64."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING

from shellwire.errors import InvalidMessage

if TYPE_CHECKING:
    from shellwire.protocol.fields import Encoding


def decode_data(text: str, encoding: Encoding, path: str) -> bytes:
    """Return the bytes of ``text``, which a client sent in the field ``path``.

    Raises InvalidMessage if ``text`` is not valid base64; line breaks are not valid.
    """
    if encoding == "utf-8":
        return text.encode()
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise InvalidMessage(f"{path}: expected base64") from None


def encode_data(data: bytes, encoding: Encoding) -> str:
    """Return ``data`` for a client. As text, invalid UTF-8 becomes U+FFFD."""
    if encoding == "utf-8":
        return data.decode(errors="replace")
    return binascii.b2a_base64(data, newline=False).decode()
