"""Bytes in text fields: how a command or a directory that is not UTF-8 crosses the wire.

JSON holds characters, and these fields hold what a shell and the kernel take: any bytes but NUL. A
connection whose ``auth`` had ``text: "bytes"`` has them written as names of files are (``names``).
On either side Python has them as PEP 383 does: a byte that is not UTF-8 is a lone surrogate.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from shellwire.protocol.names import decode_name, encode_name

if TYPE_CHECKING:
    from collections.abc import Callable

FEATURE = "text_bytes"
"""What ``status.features`` has where the daemon knows ``text`` in ``auth``."""

FIELDS = ("command", "cwd", "context", "env", "stdin_data", "message", "error")
"""The fields, whatever message or record they are in; of ``env`` the values.

The last two are sentences of the daemon, which may repeat one of the others.
"""

_RECORDS = ("jobs", "sessions")
_ON_WIRE = re.compile("[\uef80-\uefff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_IN_PYTHON = re.compile("[\ud800-\udfff\uef80-\uefff]")


def to_bytes(text: str) -> bytes:
    """Return the bytes that ``text`` stands for in Python. Raises UnicodeEncodeError."""
    return text.encode("utf-8", "surrogateescape")


def from_wire(text: str) -> str:
    """Return a field's text as Python has it."""
    if text.isascii() or _ON_WIRE.search(text) is None:
        return text
    return decode_name(text).decode("utf-8", "surrogateescape")


def to_wire(text: str) -> str:
    """Return Python's text as a field has it.

    Raises UnicodeEncodeError for a surrogate that stands for no byte.
    """
    if text.isascii() or _IN_PYTHON.search(text) is None:
        return text
    return encode_name(to_bytes(text))


def read_fields(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message that has come, with the text of its fields as Python has it."""
    return _changed(message, from_wire)


def write_fields(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message with the text of its fields as on the wire. Raises UnicodeEncodeError."""
    return _changed(message, to_wire)


def without_surrogates(value: Any) -> Any:
    """Return a part of a message for a reader of mere characters: each lone surrogate is U+FFFD."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {without_surrogates(name): without_surrogates(v) for name, v in value.items()}
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    return value


def _changed(message: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """Return a copy in which the fields that are text are changed; nothing is checked."""
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
                _changed(each, change) if isinstance(each, dict) else each for each in changed[name]
            ]
    return changed
