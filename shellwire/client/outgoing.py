"""Encoding of messages to send: values that can't be sent raise before anything is sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from shellwire.errors import InvalidMessage
from shellwire.output import quoted
from shellwire.protocol.text_bytes import FIELDS, to_bytes, write_fields

if TYPE_CHECKING:
    from shellwire.client.results import Message

_SHOWN = 200


def encode(message: Message, *, text_bytes: bool) -> bytes:
    """Return a message as JSON. Raises InvalidMessage if JSON or this daemon can't represent it."""
    try:
        sent = write_fields(message) if text_bytes else message
        return json.dumps(sent, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise InvalidMessage(_not_text(message, text_bytes=text_bytes)) from None
    except ValueError:
        raise InvalidMessage("a number is infinite or NaN") from None


def _not_text(message: Message, *, text_bytes: bool) -> str:
    """Return an error text that names the field that can't be sent."""
    for name, value in message.items():
        takes_bytes = name in FIELDS
        for text in (*value, *value.values()) if isinstance(value, dict) else (value,):
            if isinstance(text, str) and not _fits(text, as_bytes=takes_bytes and text_bytes):
                said = f"{name}: {quoted(text[:_SHOWN])} is not UTF-8"
                old = ", and this daemon is too old to take other bytes"
                return said + (old if takes_bytes and not text_bytes else "")
    return "a string is not UTF-8"


def _fits(text: str, *, as_bytes: bool) -> bool:
    try:
        text.encode("utf-8", "surrogateescape" if as_bytes else "strict")
    except UnicodeEncodeError:
        return False
    return True


def input_bytes(text: str) -> bytes:
    """Return input text as bytes; a surrogate escape becomes the byte it represents (PEP 383).

    Raises InvalidMessage for any other surrogate.
    """
    try:
        return to_bytes(text)
    except UnicodeEncodeError:
        raise InvalidMessage("input: an unpaired surrogate is not a character") from None
