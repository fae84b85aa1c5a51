"""A daemon's messages as a client reads them: checked before anything is made of them.

Who receives a message bounds its size. Here its nesting and the number of its values are bounded,
for a value takes many times its bytes in Python's memory; then it is decoded into the types of
``server``. Two things are left open, so that a client gets on with daemons that are newer or older
than itself: a field may be missing, and a word such as a ``reason`` may be new.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from shellwire.errors import InvalidAnswer
from shellwire.protocol import server, server_files
from shellwire.protocol.faults import describe
from shellwire.protocol.fields import Stream
from shellwire.protocol.limits import MAX_NESTING
from shellwire.protocol.text import read_fields

# A list of jobs has one for each that runs or waits, of which there are 101,024 at most
# (--max-queue, --max-processes); that of a directory one for each entry.
_MAX_OBJECTS = 150_000
_MAX_ENTRIES = 500_000
_MAX_COMMAS = 8 * 1024 * 1024  # also in strings: all that a context holds may be commas
_SMALL = 64 * 1024

# Up to the next bracket that is not in a string, or to the end.
_BRACKET = re.compile(rb'(?:[^][{}"]++|"(?:[^"\\]++|\\.)*+")*+(?:([\[{])|[\]}])', re.DOTALL)

_KINDS: dict[str, type[msgspec.Struct]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(server.ServerMessage)
}
_RESULTS: dict[str, type[msgspec.Struct]] = {
    "fs_root_info": server_files.RootInfo,
    "fs_stat": server_files.Entry,
    "fs_list": server_files.Listing,
    "fs_read": server_files.Content,
    "fs_write": server_files.Written,
    "fs_write_start": server_files.UploadStarted,
    "fs_write_chunk": server_files.UploadProgress,
    "fs_write_finish": server_files.Written,
    "fs_mkdir": server_files.Changed,
    "fs_rename": server_files.Changed,
    "fs_delete": server_files.Deleted,
    "fs_glob": server_files.GlobMatches,
    "fs_search": server_files.SearchResults,
}


class Answer(dict[str, Any]):
    """An object that a daemon sent. Asked for a field that it lacks it raises InvalidAnswer."""

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


def read(data: bytes, *, text_bytes: bool = False) -> Answer:
    """Return a message of the daemon; of a type that is not known only type and ids.

    ``result`` of an ``fs_result`` is left for ``read_result``. With ``text_bytes`` text fields are
    read as ``text`` says. Raises InvalidAnswer.
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
    """Return what an ``fs_result`` of that operation carries. Raises InvalidAnswer."""
    decoder = msgspec.json.Decoder(_RESULTS[operation])
    return Answer(msgspec.to_builtins(_decoded(bytes(result), decoder)))


def _decoded(data: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        what = describe(error, {}).removeprefix(": ")
        raise InvalidAnswer(f"a message that is wrong ({what})") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise InvalidAnswer("what is no JSON") from None


def _answer(fields: dict[str, Any]) -> Answer:
    """Return ``fields`` with the objects in them as answers too, but for those of any names."""
    answer = Answer(fields)
    for name, value in fields.items():
        if isinstance(value, dict) and name != "env":
            answer[name] = _answer(value)
        elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
            answer[name] = [_answer(each) if isinstance(each, dict) else each for each in value]
    return answer


def _check_size(data: bytes, objects: int) -> None:
    """Raise InvalidAnswer for JSON that is nested too deeply, or has more than so many objects."""
    if data.count(b"[") + data.count(b"{") <= MAX_NESTING and len(data) <= _SMALL:
        return
    if data.count(b",") > _MAX_COMMAS:
        raise InvalidAnswer("more values than a message has")
    depth = opened = at = 0
    while (found := _BRACKET.match(data, at)) is not None:
        at = found.end()
        if found[1] is None:
            depth -= 1
            continue
        depth += 1
        opened += 1
        if depth > MAX_NESTING:
            raise InvalidAnswer(f"JSON that is nested deeper than {MAX_NESTING} levels")
        if opened > 2 * objects:  # each may have an array in it
            raise InvalidAnswer("more values than a message has")


# Types with which a message is read --------------------------------------------------------------


@cache
def _decoder(kind: type[msgspec.Struct]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(_open(kind))


@cache
def _open(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Return ``kind`` with every field optional, and of the types that ``_opened`` says."""
    fields: list[tuple[str, Any, Any]] = []
    names = {}
    for field, wire in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
        annotation = get_type_hints(kind, include_extras=True)[field]
        fields.append((field, _opened(annotation) | msgspec.UnsetType, msgspec.UNSET))
        names[field] = wire
    return msgspec.defstruct(kind.__name__, fields, rename=names, kw_only=True)


def _opened(annotation: Any) -> Any:
    """Return a type without limits to its values, but for the streams, of which there are two."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _opened(arguments[0])
    if origin is Literal:
        return annotation if annotation == Stream else str
    if origin is list:
        return list[_opened(arguments[0])]  # type: ignore[misc]
    if origin is dict:
        return dict[str, _opened(arguments[1])]  # type: ignore[misc]
    if arguments:
        opened = _opened(arguments[0])
        for each in arguments[1:]:
            opened = opened | _opened(each)
        return opened
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return _open(annotation)
    return annotation
