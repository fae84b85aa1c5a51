"""Bytes in text fields: conversion between Python and the wire."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shellwire.errors import InvalidJson, InvalidMessage
from shellwire.protocol import codec, messages
from shellwire.protocol.text_bytes import from_wire, read_fields, to_bytes, to_wire, write_fields


@given(st.binary())
def test_any_bytes_cross_and_come_back(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    wire = to_wire(text)
    wire.encode()  # a JSON encoder can write it
    assert from_wire(wire) == text
    assert to_bytes(from_wire(wire)) == data


@given(st.text())
def test_any_characters_cross_as_they_are(text: str) -> None:
    assert from_wire(to_wire(text)) == text


def test_what_is_written_how() -> None:
    assert to_wire(b"caf\xe9".decode("utf-8", "surrogateescape")) == "caf\uefe9"
    assert to_wire("\uefe9") == "\uefee\uefbf\uefa9"  # the three bytes of that character
    assert to_wire("é€🦀\uef7f\uf000") == "é€🦀\uef7f\uf000"
    with pytest.raises(UnicodeEncodeError):
        to_wire("\ud800")


EXECUTE = {
    "type": "execute",
    "id": "\uefe9",
    "command": "\uefe9",
    "cwd": "/\uefe9",
    "context": "\uefe9",
    "stdin_data": "\uefe9",
    "env": {"N\uefe9": "\uefe9"},
}


def test_the_fields_that_may_hold_bytes() -> None:
    read = codec.decode_client(json.dumps(EXECUTE), text_bytes=True)
    assert isinstance(read, messages.Execute)
    assert (read.command, read.cwd, read.context, read.stdin_data) == (
        "\udce9",
        "/\udce9",
        "\udce9",
        "\udce9",
    )
    assert (read.id, read.env) == ("\uefe9", {"N\uefe9": "\udce9"})
    plain = codec.decode_client(json.dumps(EXECUTE))
    assert isinstance(plain, messages.Execute)
    assert plain.command == plain.id == plain.context == "\uefe9"


def test_what_is_repeated_is_written_likewise() -> None:
    job: dict[str, Any] = {
        "command": "\udce9",
        "cwd": "\udce9",
        "context": "\udce9",
        "id": "\uefe9",
    }
    written = write_fields({"jobs": [job], "message": "\udce9", "data": "\uefe9"})
    assert written["jobs"] == [
        {"command": "\uefe9", "cwd": "\uefe9", "context": "\uefe9", "id": "\uefe9"}
    ]
    assert (written["message"], written["data"]) == ("\uefe9", "\uefe9")
    assert read_fields(written)["jobs"] == [job]
    notice = messages.Notice(id="1", code="X", message="caf\udce9 \uefe9")
    assert b"caf\xee\xbf\xa9 \xee\xbf\xae" in codec.encode(notice, text_bytes=True)
    assert "caf\ufffd \uefe9".encode() in codec.encode(notice)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"command": "\ud800"}, "command"),
        ({"command": "a\udce9"}, "command"),
        ({"command": "", "env": {"A": "\ud800"}}, "env.A"),
        ({"command": "", "env": {"\ud800": ""}}, "env.\\ud800"),
        ({"command": "", "later": [{"x": ["\udfff"]}]}, "later[0].x[0]"),
    ],
)
@pytest.mark.parametrize("text_bytes", [True, False])
def test_a_lone_surrogate_is_answered(fields: dict[str, Any], path: str, text_bytes: bool) -> None:
    frame = json.dumps({"type": "execute", "id": "1", "request_id": "r", **fields})
    for given_as in (frame, frame.encode()):
        with pytest.raises(InvalidMessage) as caught:
            codec.decode_client(given_as, text_bytes=text_bytes)
        error = caught.value
        assert str(error) == f"{path}: expected text without lone surrogates"
        assert (error.message_id, error.request_id, error.operation) == ("1", "r", "execute")


def test_an_id_that_is_no_text_is_not_repeated() -> None:
    with pytest.raises(InvalidMessage) as caught:
        codec.decode_client('{"type": "ping", "id": "\\ud800", "request_id": "r"}')
    assert (caught.value.message_id, caught.value.request_id) == (None, "r")


@pytest.mark.parametrize(
    "frame",
    [
        '{"type": "execute", "id": "1", "command": "\\ud800"',
        '{"type": "execute", "id": "1", "command": "\\ud800", "x": ' + "[" * 9000,
        '["\\ud800"]',
        b'{"type": "execute", "id": "1", "command": "\xed\xa0\x80"}',
    ],
)
def test_what_is_no_json_beside_that_is_no_json(frame: str | bytes) -> None:
    with pytest.raises(InvalidJson):
        codec.decode_client(frame)


@pytest.mark.parametrize("wrong", [None, "utf-8", 1, True, ["bytes"]])
def test_another_value_in_auth_is_absent(wrong: object) -> None:
    frame = {"type": "auth", "client_id": "c", "text": wrong}
    assert codec.decode_auth(json.dumps(frame)).text is None
    assert codec.decode_auth(json.dumps(frame | {"text": "bytes"})).text == "bytes"
