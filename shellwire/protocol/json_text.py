"""Parse JSON text into an object, and check what the types of the messages do not: NUL, surrogates.

Errors carry the ids of the message, so that a message that is otherwise wrong can be answered.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import msgspec

from shellwire.errors import InvalidJson, InvalidMessage, WireError
from shellwire.protocol.limits import MAX_ID_LENGTH
from shellwire.protocol.validation import excerpt, json_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shellwire.protocol.messages import ClientMessage

Fields = dict[str, Any]

# Without the hook 1e999 would be an error that names no field.
_JSON = msgspec.json.Decoder(float_hook=float)
_SURROGATE = re.compile("[\ud800-\udfff]")
_MAY_CONTAIN_NUL = frozenset({"data", "stdin_data"})
_MAX_PATH_DEPTH = 64


def parse_object(text: str | bytes) -> Fields:
    """Return the JSON object in ``text``. Raises InvalidJson."""
    try:
        value = _JSON.decode(text)
    except RecursionError:
        raise InvalidJson("invalid JSON: nested too deeply") from None
    except UnicodeError:
        raise InvalidJson("invalid JSON: not UTF-8") from None
    except msgspec.DecodeError as error:
        reason = str(error).partition(" - at `")[0].removeprefix("JSON is malformed: ")
        raise InvalidJson(f"invalid JSON: {reason[0].lower()}{reason[1:]}") from None
    if not isinstance(value, dict):
        raise InvalidJson(f"expected a JSON object, got {json_type(value)}")
    return value


def refuse_surrogates(text: str | bytes) -> None:
    """Raise InvalidMessage with the message's ids if only a lone surrogate is wrong with ``text``.

    JSON's grammar allows lone surrogates (RFC 8259, 8.2), so the message can be answered by id. The
    decoder refuses them without saying that they are the reason.
    """
    try:
        characters = text.decode() if isinstance(text, bytes) else text
        characters.encode()
        fields = json.loads(characters)
    except (ValueError, RecursionError):
        return
    path = _surrogate_path(fields, "", _MAX_PATH_DEPTH) if isinstance(fields, dict) else None
    if path is not None:
        raise with_ids(InvalidMessage(f"{path}: expected text without lone surrogates"), fields)


def _surrogate_path(value: Any, path: str, levels: int) -> str | None:
    """Return the path of a lone surrogate in ``value``; None if no field contains one."""
    if isinstance(value, str):
        return path if _SURROGATE.search(value) else None
    inside: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict) and levels:
        for name in value:
            if _SURROGATE.search(name):
                return f"{path}.{excerpt(name)}".removeprefix(".")
        inside = (
            (f"{path}.{excerpt(name)}".removeprefix("."), each) for name, each in value.items()
        )
    elif isinstance(value, list) and levels:
        inside = ((f"{path}[{number}]", each) for number, each in enumerate(value))
    for where, each in inside:
        found = _surrogate_path(each, where, levels - 1)
        if found is not None:
            return found
    return None


def may_contain_nul(text: str | bytes) -> bool:
    """Whether ``text`` may contain NUL: JSON can write it only as an escape."""
    # Finding one byte (memchr(3)) is many times faster than finding six; base64 has no backslash.
    if isinstance(text, bytes):
        return b"\\" in text and b"\\u0000" in text
    return "\\" in text and "\\u0000" in text


def refuse_nul(message: ClientMessage) -> None:
    """Raise InvalidMessage if a field contains NUL, except those for data."""
    for name in message.__struct_fields__:
        value = getattr(message, name)
        if isinstance(value, dict):
            for entry, text in value.items():
                _refuse_nul_in(text, f"{name}.{excerpt(entry)}")
        elif isinstance(value, str) and name not in _MAY_CONTAIN_NUL:
            _refuse_nul_in(value, name)


def _refuse_nul_in(text: str, path: str) -> None:
    if "\0" in text:
        raise InvalidMessage(f"{path}: expected a string without NUL")


def with_ids(error: WireError, fields: Mapping[str, Any]) -> WireError:
    """Add the valid ids and the type of the message to ``error``, and return it."""
    error.message_id = valid_id(fields.get("id"))
    error.request_id = valid_id(fields.get("request_id"))
    error.operation = _operation(fields)
    return error


def valid_id(value: object) -> str | None:
    """Return ``value`` if it is valid as an id, else None."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_LENGTH:
        return None
    return None if "\0" in value or _SURROGATE.search(value) else value


def _operation(fields: Mapping[str, Any]) -> str | None:
    tag = fields.get("type")
    return excerpt(tag) if isinstance(tag, str) else None
