"""Decode the daemon's messages for a client: with bounds, and leniently.

The caller bounds the size of a message. This module bounds its nesting and its number of values,
because a value takes many times its size in Python's memory; then it decodes the message into the
types of ``server_messages``. To work with older and newer daemons, a field may be missing and a
keyword such as a ``reason`` may be unknown.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from shellwire.errors import InvalidAnswer
from shellwire.protocol import server_messages
from shellwire.protocol.fields import Stream
from shellwire.protocol.limits import MAX_NESTING
from shellwire.protocol.text_bytes import read_fields
from shellwire.protocol.validation import describe

# jobs_list has one object for each running or queued job, at most 101,024 (--max-queue,
# --max-processes); fs_list has one for each entry.
_MAX_OBJECTS = 150_000
_MAX_ENTRIES = 500_000
_MAX_COMMAS = 8 * 1024 * 1024  # counts those in strings, too: a context may consist of commas
_SMALL = 64 * 1024

# Matches up to the next bracket outside a string, or to the end.
_BRACKET = re.compile(rb'(?:[^][{}"]++|"(?:[^"\\]++|\\.)*+")*+(?:([\[{])|[\]}])', re.DOTALL)

_KINDS: dict[str, type[msgspec.Struct]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(server_messages.ServerMessage)
}


class Answer(dict[str, Any]):
    """An object from the daemon. Reading a missing field raises InvalidAnswer."""

    def __missing__(self, name: str) -> Any:
        raise InvalidAnswer(f"{self.get('type', 'an object')} without {name}")


class _Head(msgspec.Struct):
    type: str
    id: str | None = None
    request_id: str | None = None


class _FsResult(msgspec.Struct):
    type: str
    operation: str
    result: msgspec.Raw
    id: str | None = None
    request_id: str | None = None


_HEAD = msgspec.json.Decoder(_Head)
_FS_RESULT = msgspec.json.Decoder(_FsResult)


def read(data: bytes | bytearray, *, text_bytes: bool = False) -> Answer:
    """Decode a message from the daemon. For an unknown type, return only the type and ids.

    ``result`` of an ``fs_result`` stays encoded; see ``read_result``. With ``text_bytes`` text
    fields may encode bytes. Raises InvalidAnswer.
    """
    head = _decoded(data, _HEAD)
    _check_size(data, _MAX_ENTRIES if head.type == "fs_result" else _MAX_OBJECTS)
    if head.type == "fs_result":
        found = _decoded(data, _FS_RESULT)
        return Answer({name: getattr(found, name) for name in _FsResult.__struct_fields__})
    if head.type not in _KINDS:
        return Answer(msgspec.to_builtins(head))
    fields = msgspec.to_builtins(_decoded(data, _decoder(_KINDS[head.type])))
    fields["type"] = head.type
    return _answer(read_fields(fields) if text_bytes else fields)


def read_result(operation: str, result: msgspec.Raw) -> Answer:
    """Decode the ``result`` of an ``fs_result`` of ``operation``. Raises InvalidAnswer."""
    from shellwire.protocol.file_results import RESULTS

    decoder = msgspec.json.Decoder(RESULTS[operation])
    return Answer(msgspec.to_builtins(_decoded(bytes(result), decoder)))


def _decoded(data: bytes | bytearray, decoder: msgspec.json.Decoder[Any]) -> Any:
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        problem = describe(error, {}).removeprefix(": ")
        raise InvalidAnswer(f"an invalid message ({problem})") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise InvalidAnswer("invalid JSON") from None


def _answer(fields: dict[str, Any]) -> Answer:
    """Return ``fields`` with nested objects as Answer, except ``env``, whose keys are arbitrary."""
    answer = Answer(fields)
    for name, value in fields.items():
        if isinstance(value, dict) and name != "env":
            answer[name] = _answer(value)
        elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
            answer[name] = [_answer(each) if isinstance(each, dict) else each for each in value]
    return answer


def _check_size(data: bytes | bytearray, objects: int) -> None:
    """Raise InvalidAnswer if JSON is nested too deeply or has more than ``objects`` objects."""
    if data.count(b"[") + data.count(b"{") <= MAX_NESTING and len(data) <= _SMALL:
        return
    if data.count(b",") > _MAX_COMMAS:
        raise InvalidAnswer("more values than any message has")
    depth = opened = at = 0
    while (found := _BRACKET.match(data, at)) is not None:
        at = found.end()
        if found[1] is None:
            depth -= 1
            continue
        depth += 1
        opened += 1
        if depth > MAX_NESTING:
            raise InvalidAnswer(f"JSON nested deeper than {MAX_NESTING} levels")
        if opened > 2 * objects:  # each may contain an array
            raise InvalidAnswer("more values than any message has")


# Lenient types -----------------------------------------------------------------------------------


@cache
def _decoder(kind: type[msgspec.Struct]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(_lenient_struct(kind))


@cache
def _lenient_struct(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Return ``kind`` with every field optional and of a lenient type."""
    fields: list[tuple[str, Any, Any]] = []
    names = {}
    hints = get_type_hints(kind, include_extras=True)
    for field, wire in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
        fields.append((field, _lenient_type(hints[field]) | msgspec.UnsetType, msgspec.UNSET))
        names[field] = wire
    return msgspec.defstruct(kind.__name__, fields, rename=names, kw_only=True)


def _lenient_type(annotation: Any) -> Any:
    """Return a type without its constraints; only ``stream`` keeps its two values."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _lenient_type(arguments[0])
    if origin is Literal:
        return annotation if annotation == Stream else str
    if origin is list:
        return list[_lenient_type(arguments[0])]  # type: ignore[misc]
    if origin is dict:
        return dict[str, _lenient_type(arguments[1])]  # type: ignore[misc]
    if arguments:
        lenient = _lenient_type(arguments[0])
        for each in arguments[1:]:
            lenient = lenient | _lenient_type(each)
        return lenient
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return _lenient_struct(annotation)
    return annotation
