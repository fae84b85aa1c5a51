"""Text to message and message to text, with the limits and errors of the wire.

Decoding has two stages, JSON to a plain object and that to a message, because null means absent
whatever the field, and because an error has to carry the ids of a message that is otherwise wrong.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import msgspec

from shellwire.errors import (
    AuthInvalidJson,
    AuthRequired,
    InvalidJson,
    InvalidMessage,
    MissingClientId,
    UnknownType,
    WireError,
)
from shellwire.protocol.faults import describe, kind_of, shown
from shellwire.protocol.limits import MAX_ID_LENGTH
from shellwire.protocol.messages import (
    Auth,
    ClientMessage,
    Error,
    FileMessage,
    FsResult,
    ServerMessage,
    StartSession,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def type_of(message: ClientMessage | ServerMessage | Auth) -> str:
    """Return the ``type`` that ``message`` has on the wire."""
    return str(message.__struct_config__.tag)


_CLIENT: dict[str, type[ClientMessage]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(ClientMessage)
}
_SERVER: dict[str, type[ServerMessage]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(ServerMessage)
}


def encode(message: ClientMessage | ServerMessage | Auth) -> bytes:
    """Return ``message`` as the UTF-8 of one JSON object, without its unset fields.

    Never fails for what a string holds: a lone surrogate, such as a file name that is not UTF-8
    has in Python, becomes U+FFFD.
    """
    try:
        return _ENCODER.encode(message)
    except UnicodeEncodeError:
        return _ENCODER.encode(_without_surrogates(msgspec.to_builtins(message)))


def decode_client(text: str | bytes) -> ClientMessage:
    """Return the message that an authenticated client sent.

    Raises InvalidJson, UnknownType or InvalidMessage; the last two carry ``message_id``,
    ``request_id`` and ``operation`` as far as those were right.
    """
    fields = _without_absent(_object(text))
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

    ``token``, ``protocol``, ``transient`` and ``request_id`` are absent if they are of a wrong
    type: the order of refusals on the wire has no place for them. Raises AuthInvalidJson,
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
    return Auth(
        client_id=client_id,
        token=token if isinstance(token, str) else None,
        # A bool is an int in Python, but not on the wire.
        protocol=protocol if type(protocol) is int else None,
        transient=fields.get("transient") is True,
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
    if isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH and "\0" not in value:
        return value
    return None


def _operation(fields: Mapping[str, Any]) -> str | None:
    tag = fields.get("type")
    return shown(tag) if isinstance(tag, str) else None


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_without_surrogates(name): _without_surrogates(v) for name, v in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    return value
