"""Encode bytes in text fields: commands and directories that are not UTF-8.

JSON holds characters; a shell and the kernel accept any bytes but NUL in these fields. On a
connection whose ``auth`` had ``text: "bytes"`` they are encoded like file names (``file_names``).
In Python, on either side, a byte that is not UTF-8 is a lone surrogate (PEP 383).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from shellwire.protocol.file_names import decode_name, encode_name

if TYPE_CHECKING:
    from collections.abc import Callable

FEATURE = "text_bytes"
"""The entry in ``status.features`` of a daemon that supports ``text`` in ``auth``."""

FIELDS = ("command", "cwd", "context", "env", "stdin_data", "message", "error")
"""The encoded fields, in every message and record; of ``env`` only the values.

``message`` and ``error`` are sentences of the daemon, which may quote one of the others.
"""

_RECORDS = ("jobs", "sessions")
_WIRE_ESCAPE = re.compile("[\uef80-\uefff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NEEDS_ESCAPE = re.compile("[\ud800-\udfff\uef80-\uefff]")


def to_bytes(text: str) -> bytes:
    """Return the bytes that Python's ``text`` represents. Raises UnicodeEncodeError."""
    return text.encode("utf-8", "surrogateescape")


def from_wire(text: str) -> str:
    """Convert a field's text from the wire to Python's form."""
    if text.isascii() or _WIRE_ESCAPE.search(text) is None:
        return text
    return decode_name(text).decode("utf-8", "surrogateescape")


def to_wire(text: str) -> str:
    """Convert Python's text to the form on the wire.

    Raises UnicodeEncodeError for a surrogate that represents no byte.
    """
    if text.isascii() or _NEEDS_ESCAPE.search(text) is None:
        return text
    return encode_name(to_bytes(text))


def read_fields(message: dict[str, Any]) -> dict[str, Any]:
    """Return a received message with its text fields in Python's form."""
    return _convert_fields(message, from_wire)


def write_fields(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message with its text fields in wire form. Raises UnicodeEncodeError."""
    return _convert_fields(message, to_wire)


def without_surrogates(value: Any) -> Any:
    """Return a part of a message with each lone surrogate replaced by U+FFFD."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {without_surrogates(name): without_surrogates(v) for name, v in value.items()}
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    return value


def _convert_fields(message: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """Return a copy with ``change`` applied to the text fields, without validation."""
    changed = dict(message)
    for name in FIELDS:
        value = changed.get(name)
        if isinstance(value, str):
            changed[name] = change(value)
        elif isinstance(value, dict):
            changed[name] = {
                key: change(each) if isinstance(each, str) else each for key, each in value.items()
            }
    for name in _RECORDS:
        if isinstance(changed.get(name), list):
            changed[name] = [
                _convert_fields(each, change) if isinstance(each, dict) else each
                for each in changed[name]
            ]
    return changed
