"""Every message survives encoding and decoding; invalid input raises a typed error only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shellwire.errors import InvalidJson, InvalidMessage, Refusal, UnknownType, WireError
from shellwire.protocol.codec import decode_auth, decode_client, decode_server, encode, type_of
from shellwire.protocol.messages import Auth, ClientMessage, ServerMessage
from tests.protocol.strategies import client_messages, json_values, server_messages

if TYPE_CHECKING:
    from collections.abc import Callable

TYPED = (InvalidJson, InvalidMessage, UnknownType)

CLIENT_TYPES = [str(kind.__struct_config__.tag) for kind in get_args(ClientMessage)]
SERVER_TYPES = [str(kind.__struct_config__.tag) for kind in get_args(ServerMessage)]
CLIENT_FIELDS = sorted({n for kind in get_args(ClientMessage) for n in kind.__struct_fields__})
SERVER_FIELDS = sorted({n for kind in get_args(ServerMessage) for n in kind.__struct_fields__})


def refused(decode: Callable[[str], object], frame: str) -> WireError | None:
    """Decode ``frame`` and return the typed error, or None; any other error is a failure."""
    try:
        decode(frame)
    except (*TYPED, Refusal) as error:
        return error
    return None


@given(client_messages())
def test_a_client_message_survives(message: ClientMessage) -> None:
    frame = encode(message)
    assert decode_client(frame) == message
    assert decode_client(frame.decode()) == message


@given(server_messages())
def test_a_server_message_survives(message: ServerMessage) -> None:
    frame = encode(message)
    assert decode_server(frame) == message
    assert decode_server(frame.decode()) == message


@given(client_messages(), st.text())
def test_nulls_and_unknown_fields_change_nothing(message: ClientMessage, unknown: str) -> None:
    fields = json.loads(encode(message))
    for name in message.__struct_fields__:
        fields.setdefault(name, None)
    fields.setdefault(f"x-{unknown}", [unknown])
    assert decode_client(json.dumps(fields)) == message


@given(st.binary() | st.text())
def test_noise_is_an_error(frame: bytes | str) -> None:
    for decode in (decode_client, decode_server):
        with pytest.raises(TYPED):
            decode(frame)
    with pytest.raises(Refusal):
        decode_auth(frame)


@given(json_values)
def test_any_json_is_a_message_or_a_typed_error(value: Any) -> None:
    frame = json.dumps(value)
    for decode in (decode_client, decode_server):
        with pytest.raises(TYPED):
            decode(frame)
    with pytest.raises(Refusal):
        decode_auth(frame)


@given(
    st.sampled_from(CLIENT_TYPES),
    st.dictionaries(st.sampled_from([*CLIENT_FIELDS, "pty"]), json_values),
)
def test_any_value_in_any_field(tag: str, fields: dict[str, Any]) -> None:
    frame = json.dumps({"type": tag} | fields)
    error = refused(decode_client, frame)
    if error is None:
        message = decode_client(frame)
        assert type_of(message) == tag
        assert decode_client(encode(message)) == message
    else:
        assert error.code == "INVALID_MESSAGE"
        assert error.operation == tag
        assert "\n" not in str(error)
        assert len(str(error)) < 300


@given(st.sampled_from(SERVER_TYPES), st.dictionaries(st.sampled_from(SERVER_FIELDS), json_values))
def test_any_value_from_a_server(tag: str, fields: dict[str, Any]) -> None:
    frame = json.dumps({"type": tag} | fields)
    error = refused(decode_server, frame)
    if error is None:
        assert type_of(decode_server(frame)) == tag
    else:
        assert error.code == "INVALID_MESSAGE"
        assert "\n" not in str(error)


@given(st.dictionaries(st.sampled_from(["token", "client_id", "protocol"]), json_values))
def test_any_value_in_auth(fields: dict[str, Any]) -> None:
    frame = json.dumps({"type": "auth"} | fields)
    error = refused(decode_auth, frame)
    if error is None:
        message = decode_auth(frame)
        assert decode_auth(encode(message)) == message
    else:
        assert error.code == "MISSING_CLIENT_ID"


@given(st.text(st.characters()))
def test_encoding_never_fails(text: str) -> None:
    """A file name that is not UTF-8 contains lone surrogates in Python."""
    frame = encode(Auth(client_id="c", token=text))
    expected = "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
    assert msgspec.json.decode(frame)["token"] == expected
