"""Encode and decode messages, with the limits and errors of the wire.

Decoding has two stages: JSON to an object (``json_text``), then the object to a message. So null
can mean absent in every field, and an error can carry the ids of a message that is invalid.
"""

from __future__ import annotations

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
from shellwire.protocol.json_text import (
    Fields,
    may_contain_nul,
    parse_object,
    refuse_nul,
    refuse_surrogates,
    valid_id,
    with_ids,
)
from shellwire.protocol.limits import MAX_ID_LENGTH
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
from shellwire.protocol.text_bytes import read_fields, without_surrogates, write_fields
from shellwire.protocol.validation import describe, excerpt, json_type

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_FRAME_BEFORE_AUTH = 64 * 1024
"""The largest frame from a client that has not authenticated, in bytes."""

MAX_FRAME = 16 * 1024 * 1024
"""The largest frame from an authenticated client, in bytes."""

_Message = TypeVar("_Message")

_ENCODER = msgspec.json.Encoder()
_WITH_TEXT_FIELDS = (
    Status,
    Result,
    SessionEnded,
    SessionsList,
    JobsList,
    ContextState,
    Error,
    Notice,
)


def type_of(message: ClientMessage | ServerMessage | Auth) -> str:
    """Return the ``type`` of ``message`` on the wire."""
    return str(message.__struct_config__.tag)


_CLIENT: dict[str, type[ClientMessage]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(ClientMessage)
}
_SERVER: dict[str, type[ServerMessage]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(ServerMessage)
}


def encode(message: ClientMessage | ServerMessage | Auth, *, text_bytes: bool = False) -> bytes:
    """Return ``message`` as one JSON object in UTF-8, without fields that hold their default.

    Lone surrogates represent bytes that are not UTF-8. With ``text_bytes`` they are encoded in the
    fields that allow it (``text_bytes.FIELDS``); elsewhere they become U+FFFD, never an error.
    """
    try:
        encoded = _ENCODER.encode(message)
        if not text_bytes or type(message) not in _WITH_TEXT_FIELDS or encoded.isascii():
            return encoded
    except UnicodeEncodeError:
        pass
    fields = msgspec.to_builtins(message)
    if text_bytes:
        fields = write_fields(fields)
    return _ENCODER.encode(without_surrogates(fields))


def decode_client(text: str | bytes, *, text_bytes: bool = False) -> ClientMessage:
    """Decode a message from an authenticated client.

    With ``text_bytes`` its text fields may encode bytes. Raises InvalidJson, UnknownType or
    InvalidMessage; the last two carry ``message_id``, ``request_id`` and ``operation`` where these
    were valid.
    """
    try:
        fields = _without_absent(parse_object(text))
    except InvalidJson:
        refuse_surrogates(text)
        raise
    if text_bytes:
        fields = read_fields(fields)
    try:
        message = _client_message(fields)
        if may_contain_nul(text):
            refuse_nul(message)
    except WireError as error:
        with_ids(error, fields)
        raise
    return message


def decode_server(text: str | bytes) -> ServerMessage:
    """Decode a message from the daemon.

    Raises InvalidJson, InvalidMessage or UnknownType. A client should ignore UnknownType: newer
    daemons may send further types.
    """
    fields = parse_object(text)
    kind = _SERVER.get(_tag(fields))
    if kind is None:
        raise UnknownType(f"unknown message type '{excerpt(fields['type'])}'")
    return _convert(fields, kind)


def decode_auth(text: str | bytes) -> Auth:
    """Decode the first message of a connection; its token is not compared here.

    ``token``, ``protocol``, ``transient``, ``text`` and ``request_id`` count as absent if their
    form is invalid: the protocol's order of refusals has no code for that. Raises AuthInvalidJson,
    AuthRequired or MissingClientId, in this order; the last two carry ids as in ``decode_client``.
    """
    try:
        fields = parse_object(text)
    except InvalidJson as error:
        raise AuthInvalidJson(str(error)) from None
    if fields.get("type") != "auth":
        raise with_ids(AuthRequired('the first message must be of type "auth"'), fields)
    client_id = valid_id(fields.get("client_id"))
    if client_id is None:
        missing = f"client_id: expected a string of 1 to {MAX_ID_LENGTH} characters without NUL"
        raise with_ids(MissingClientId(missing), fields)
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
        request_id=valid_id(fields.get("request_id")),
    )


def encode_fs_result(request: FileMessage) -> tuple[bytes, bytes]:
    """Return the JSON before and after ``result`` in the answer to ``request``.

    The result itself may be long and is already JSON, so it is not encoded again.
    """
    answer = FsResult(
        id=request.id, operation=type_of(request), result={}, request_id=request.request_id
    )
    head, empty, tail = encode(answer).rpartition(b"{}")
    assert empty, "result is the last field"
    return head, tail


def _without_absent(fields: Fields) -> Fields:
    present = {name: value for name, value in fields.items() if value is not None}
    if present.get("cwd") == "":
        del present["cwd"]
    return present


def _tag(fields: Mapping[str, Any]) -> str:
    tag = fields.get("type")
    if not isinstance(tag, str):
        found = "found none" if tag is None else f"got {json_type(tag)}"
        raise InvalidMessage(f"type: expected a string, {found}")
    return tag


def _client_message(fields: Fields) -> ClientMessage:
    tag = _tag(fields)
    kind = _CLIENT.get(tag)
    if kind is StartSession:
        _resolve_pty(fields)
    elif tag == "auth":
        raise InvalidMessage('type: expected any but "auth", the connection is authenticated')
    elif kind is None:
        raise UnknownType(f"unknown message type '{excerpt(tag)}'")
    return _convert(fields, kind)


def _resolve_pty(fields: Fields) -> None:
    """Replace the alias ``pty`` by ``use_pty``, which wins if both are present."""
    alias = fields.pop("pty", None)
    if alias is None or "use_pty" in fields:
        return
    if not isinstance(alias, bool):
        raise InvalidMessage(f"pty: expected a boolean, got {json_type(alias)}")
    fields["use_pty"] = alias


def _convert(fields: Fields, kind: type[_Message]) -> _Message:
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise InvalidMessage(describe(error, fields)) from None
