"""Text to message and message to text, with the limits and errors of the wire.

Decoding has two stages, JSON to a plain object and that to a message, because null means absent
whatever the field, and because an error has to carry the ids of a message that is otherwise wrong.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import msgspec

from shellwire.errors import (
    AuthInvalidJson,
    AuthRequired,
    InternalError,
    InvalidJson,
    InvalidMessage,
    MissingClientId,
    UnknownType,
    WireError,
)
from shellwire.protocol.faults import describe, kind_of, shown
from shellwire.protocol.limits import MAX_DAEMON_MESSAGE, MAX_ID_LENGTH
from shellwire.protocol.messages import (
    Auth,
    ClientMessage,
    ContextState,
    Error,
    FileMessage,
    FsResult,
    JobsList,
    Notice,
    Result,
    ServerMessage,
    SessionEnded,
    SessionsList,
    StartSession,
    Status,
)
from shellwire.protocol.text import read_fields, without_surrogates, write_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_FRAME_BEFORE_AUTH = 64 * 1024
"""Bytes in a client's frame before it is authenticated."""

MAX_FRAME = 16 * 1024 * 1024
"""Bytes in a frame of an authenticated client."""

_Fields = dict[str, Any]
_Message = TypeVar("_Message")

# Without the hook 1e999 would be an error that names no field.
_JSON = msgspec.json.Decoder(float_hook=float)
_ENCODER = msgspec.json.Encoder()
_SURROGATE = re.compile("[\ud800-\udfff]")
_MAY_HOLD_NUL = frozenset({"data", "stdin_data"})
_WITH_TEXT = (Status, Result, SessionEnded, SessionsList, JobsList, ContextState, Error, Notice)
_DEEPEST_PATH = 64


def type_of(message: ClientMessage | ServerMessage | Auth) -> str:
    """Return the ``type`` that ``message`` has on the wire."""
    return str(message.__struct_config__.tag)


_CLIENT: dict[str, type[ClientMessage]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(ClientMessage)
}
_SERVER: dict[str, type[ServerMessage]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(ServerMessage)
}


def encode(message: ClientMessage | ServerMessage | Auth, *, text_bytes: bool = False) -> bytes:
    """Return ``message`` as the UTF-8 of one JSON object, without its unset fields.

    Bytes that are not UTF-8, which Python has as lone surrogates, are written as ``text`` says if
    ``text_bytes``. Where they can't be they become U+FFFD: nothing fails for what a string holds.
    """
    try:
        encoded = _ENCODER.encode(message)
        if not text_bytes or type(message) not in _WITH_TEXT or encoded.isascii():
            return encoded
    except UnicodeEncodeError:
        pass
    fields = msgspec.to_builtins(message)
    if text_bytes:
        fields = write_fields(fields)
    return _ENCODER.encode(without_surrogates(fields))


def decode_client(text: str | bytes, *, text_bytes: bool = False) -> ClientMessage:
    """Return the message that an authenticated client sent.

    With ``text_bytes`` its text fields are read as ``text`` says. Raises InvalidJson, UnknownType
    or InvalidMessage; the last two carry ``message_id``, ``request_id`` and ``operation`` as far as
    those were right.
    """
    try:
        fields = _without_absent(_object(text))
    except InvalidJson:
        _refuse_surrogates(text)
        raise
    if text_bytes:
        fields = read_fields(fields)
    try:
        message = _client_message(fields)
        if _mentions_nul(text):
            _refuse_nul(message)
    except WireError as error:
        _about(error, fields)
        raise
    return message


def decode_server(text: str | bytes) -> ServerMessage:
    """Return the message that a daemon sent.

    Raises InvalidJson, InvalidMessage, or UnknownType, which a client should pass over: a newer
    daemon may say more.
    """
    fields = _object(text)
    kind = _SERVER.get(_tag(fields))
    if kind is None:
        raise UnknownType(f"unknown message type '{shown(fields['type'])}'")
    return _convert(fields, kind)


def decode_auth(text: str | bytes) -> Auth:
    """Return the first message of a connection, its token not yet compared.

    ``token``, ``protocol``, ``transient``, ``text`` and ``request_id`` are absent if they are
    wrong in form: the order of refusals on the wire has no place for them. Raises AuthInvalidJson,
    AuthRequired or MissingClientId, in this order; the last two as ``decode_client``.
    """
    try:
        fields = _object(text)
    except InvalidJson as error:
        raise AuthInvalidJson(str(error)) from None
    if fields.get("type") != "auth":
        raise _about(AuthRequired('the first message must be of type "auth"'), fields)
    client_id = _usable_id(fields.get("client_id"))
    if client_id is None:
        missing = f"client_id: expected a string of 1 to {MAX_ID_LENGTH} characters without NUL"
        raise _about(MissingClientId(missing), fields)
    token = fields.get("token")
    protocol = fields.get("protocol")
    in_text = fields.get("text")
    return Auth(
        client_id=client_id,
        token=token if isinstance(token, str) else None,
        # A bool is an int in Python, but not on the wire.
        protocol=protocol if type(protocol) is int else None,
        transient=fields.get("transient") is True,
        text="bytes" if in_text == "bytes" else None,
        request_id=_usable_id(fields.get("request_id")),
    )


def encode_fs_result(question: FileMessage) -> tuple[bytes, bytes]:
    """Return what stands before and behind ``result`` in the answer to ``question``.

    What stands between may be long, and is JSON already.
    """
    answer = FsResult(
        id=question.id, operation=type_of(question), result={}, request_id=question.request_id
    )
    head, empty, tail = encode(answer).rpartition(b"{}")
    assert empty, "result is the last field"
    return head, tail


def error_answer(error: WireError, message: ClientMessage | None = None) -> Error:
    """Return the ``error`` that answers ``message``, or what could not be decoded to one."""
    if message is None:
        request_id, message_id = error.request_id, error.message_id
        operation = error.operation
    else:
        request_id, message_id = message.request_id, message.id
        operation = type_of(message)
    return Error(
        id=message_id if request_id is None else request_id,
        message=str(error),
        code=error.code,
        operation=operation,
        request_id=request_id,
    )


def too_large(message: ServerMessage, size: int) -> Error:
    """Return what answers instead of ``message``, which would have ``size`` bytes."""
    request_id = getattr(message, "request_id", None)
    return Error(
        id=getattr(message, "id", None) if request_id is None else request_id,
        message=f"the answer has {size} bytes, and a message may have {MAX_DAEMON_MESSAGE}",
        code=InternalError.code,
        request_id=request_id,
    )


def _object(text: str | bytes) -> _Fields:
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
        raise InvalidJson(f"expected a JSON object, got {kind_of(value)}")
    return value


def _refuse_surrogates(text: str | bytes) -> None:
    """Raise InvalidMessage, with its ids, if a lone surrogate is all that is wrong with ``text``.

    JSON's grammar has them (RFC 8259, 8.2), so the message can be answered. The decoder does not
    say that they are its reason.
    """
    try:
        characters = text.decode() if isinstance(text, bytes) else text
        characters.encode()
        fields = json.loads(characters)
    except (ValueError, RecursionError):
        return
    path = _surrogate_path(fields, "", _DEEPEST_PATH) if isinstance(fields, dict) else None
    if path is not None:
        raise _about(InvalidMessage(f"{path}: expected text without lone surrogates"), fields)


def _surrogate_path(value: Any, path: str, levels: int) -> str | None:
    """Return where in ``value`` a lone surrogate is; None if nowhere that a field could be."""
    if isinstance(value, str):
        return path if _SURROGATE.search(value) else None
    inside: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict) and levels:
        for name in value:
            if _SURROGATE.search(name):
                return f"{path}.{shown(name)}".removeprefix(".")
        inside = ((f"{path}.{shown(name)}".removeprefix("."), each) for name, each in value.items())
    elif isinstance(value, list) and levels:
        inside = ((f"{path}[{number}]", each) for number, each in enumerate(value))
    for where, each in inside:
        found = _surrogate_path(each, where, levels - 1)
        if found is not None:
            return found
    return None


def _without_absent(fields: _Fields) -> _Fields:
    present = {name: value for name, value in fields.items() if value is not None}
    if present.get("cwd") == "":
        del present["cwd"]
    return present


def _tag(fields: Mapping[str, Any]) -> str:
    tag = fields.get("type")
    if not isinstance(tag, str):
        found = "found none" if tag is None else f"got {kind_of(tag)}"
        raise InvalidMessage(f"type: expected a string, {found}")
    return tag


def _client_message(fields: _Fields) -> ClientMessage:
    tag = _tag(fields)
    kind = _CLIENT.get(tag)
    if kind is StartSession:
        _resolve_pty(fields)
    elif tag == "auth":
        raise InvalidMessage('type: expected any but "auth", the connection is authenticated')
    elif kind is None:
        raise UnknownType(f"unknown message type '{shown(tag)}'")
    return _convert(fields, kind)


def _resolve_pty(fields: _Fields) -> None:
    """Turn the alias ``pty`` into ``use_pty``, which wins where both stand."""
    alias = fields.pop("pty", None)
    if alias is None or "use_pty" in fields:
        return
    if not isinstance(alias, bool):
        raise InvalidMessage(f"pty: expected a boolean, got {kind_of(alias)}")
    fields["use_pty"] = alias


def _convert(fields: _Fields, kind: type[_Message]) -> _Message:
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise InvalidMessage(describe(error, fields)) from None


def _mentions_nul(text: str | bytes) -> bool:
    """Tell whether ``text`` may hold a NUL: JSON has no other way to write one."""
    # One character is found many times as fast as six (memchr(3)), and base64 has no such one.
    if isinstance(text, bytes):
        return b"\\" in text and b"\\u0000" in text
    return "\\" in text and "\\u0000" in text


def _refuse_nul(message: ClientMessage) -> None:
    for name in message.__struct_fields__:
        value = getattr(message, name)
        if isinstance(value, dict):
            for entry, text in value.items():
                _refuse_nul_in(text, f"{name}.{shown(entry)}")
        elif isinstance(value, str) and name not in _MAY_HOLD_NUL:
            _refuse_nul_in(value, name)


def _refuse_nul_in(text: str, path: str) -> None:
    if "\0" in text:
        raise InvalidMessage(f"{path}: expected a string without NUL")


def _about(error: WireError, fields: Mapping[str, Any]) -> WireError:
    """Return ``error`` with what is right of the ids and the type of the message it is about."""
    error.message_id = _usable_id(fields.get("id"))
    error.request_id = _usable_id(fields.get("request_id"))
    error.operation = _operation(fields)
    return error


def _usable_id(value: object) -> str | None:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_LENGTH:
        return None
    return None if "\0" in value or _SURROGATE.search(value) else value


def _operation(fields: Mapping[str, Any]) -> str | None:
    tag = fields.get("type")
    return shown(tag) if isinstance(tag, str) else None
