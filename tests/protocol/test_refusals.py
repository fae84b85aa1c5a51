"""Invalid input: the error's code, and the path that it names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shellwire.errors import InvalidJson, InvalidMessage, UnknownType
from shellwire.protocol.codec import decode_client, decode_server

DEEP = 100_000

NOT_JSON: list[tuple[str, str | bytes]] = [
    ("empty", ""),
    ("cut", '{"type":"ping"'),
    ("two", "{}{}"),
    ("deep", "[" * DEEP),
    ("deep objects", '{"a":' * DEEP),
    ("deep field", '{"type":"ping","x":' + "[" * DEEP + "]" * DEEP + "}"),
    ("NaN", '{"type":"ping","x":NaN}'),
    ("Infinity", '{"type":"ping","x":-Infinity}'),
    ("surrogate in str", '{"type":"execute","id":"1","command":"\ud800"}'),
    ("not UTF-8", b'{"type":"execute","id":"1","command":"\xff"}'),
    ("overlong NUL", b'{"type":"execute","id":"1","command":"\xc0\x80"}'),
    ("not UTF-8 outside", b'\xff{"type":"ping"}'),
    ("raw NUL", '{"type":"execute","id":"1","command":"\0"}'),
    ("raw line feed", '{"type":"execute","id":"1","command":"\n"}'),
    ("number of 5000 digits", '{"type":"ping","x":' + "9" * 5000 + "}"),
    ("array", "[]"),
    ("string", '"ping"'),
    ("number", "1"),
    ("float", "1.5"),
    ("true", "true"),
    ("null", "null"),
]


@pytest.mark.parametrize("frame", [frame for _, frame in NOT_JSON], ids=[n for n, _ in NOT_JSON])
def test_not_a_json_object(frame: str | bytes) -> None:
    for decode in (decode_client, decode_server):
        with pytest.raises(InvalidJson) as caught:
            decode(frame)
        assert caught.value.code == "INVALID_JSON"
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 100
        assert caught.value.message_id is caught.value.request_id is caught.value.operation is None


def test_a_non_object_says_what_it_is() -> None:
    with pytest.raises(InvalidJson, match=r"^expected a JSON object, got an array$"):
        decode_client("[1]")
    with pytest.raises(InvalidJson, match=r"^expected a JSON object, got a boolean$"):
        decode_client("true")
    with pytest.raises(InvalidJson, match=r"^expected a JSON object, got null$"):
        decode_client("null")


def execute(**fields: Any) -> dict[str, Any]:
    return {"type": "execute", "id": "job", "command": "true"} | fields


def start(**fields: Any) -> dict[str, Any]:
    return {"type": "start_session", "id": "job"} | fields


def context(**fields: Any) -> dict[str, Any]:
    return {"type": "set_context"} | fields


def send(**fields: Any) -> dict[str, Any]:
    return {"type": "send_input", "id": "job", "data": ""} | fields


def resize(**fields: Any) -> dict[str, Any]:
    return {"type": "resize", "id": "job", "cols": 1, "rows": 1} | fields


def signal(name: Any) -> dict[str, Any]:
    return {"type": "signal", "id": "job", "signal": name}


BAD_NAME = "expected a name that an environment can hold"
NO_NUL = "expected a string without NUL"
A_SIGNAL = 'expected the name of a signal, as "INT" or "SIGINT"'
NONE = "expected a value, found none"

WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "type: expected a string, found none"),
    ({"type": None}, "type: expected a string, found none"),
    ({"type": 1}, "type: expected a string, got an integer"),
    ({"type": ["ping"]}, "type: expected a string, got an array"),
    ({"type": "auth"}, 'type: expected any but "auth", the connection is authenticated'),
    ({"type": "execute", "id": "1"}, f"command: {NONE}"),
    ({"type": "execute", "command": "1"}, f"id: {NONE}"),
    ({"type": "cancel_command", "id": None}, f"id: {NONE}"),
    ({"type": "resize", "id": "1", "cols": 1}, f"rows: {NONE}"),
    ({"type": "send_input", "id": "1"}, f"data: {NONE}"),
    ({"type": "signal", "id": "1"}, f"signal: {NONE}"),
    ({"type": "ping", "id": 1}, "id: expected a string, got an integer"),
    ({"type": "ping", "request_id": ""}, "request_id: expected a string of length >= 1"),
    ({"type": "ping", "request_id": "x" * 129}, "request_id: expected a string of length <= 128"),
    ({"type": "ping", "request_id": "\0"}, f"request_id: {NO_NUL}"),
    (execute(id=""), "id: expected a string of length >= 1"),
    (execute(id="x" * 129), "id: expected a string of length <= 128"),
    (execute(id=7), "id: expected a string, got an integer"),
    (execute(id="a\0"), f"id: {NO_NUL}"),
    (execute(command=1), "command: expected a string, got an integer"),
    (execute(command="a\0b"), f"command: {NO_NUL}"),
    (execute(cwd=False), "cwd: expected a string, got a boolean"),
    (execute(cwd="/\0"), f"cwd: {NO_NUL}"),
    (execute(env=[]), "env: expected an object, got an array"),
    (execute(env={"A": "", "B": 1}), "env.B: expected a string, got an integer"),
    (execute(env={"A": None}), "env.A: expected a string, got null"),
    (execute(env={"A": "", "": "1"}), f"env.: {BAD_NAME}"),
    (execute(env={"A=B": "1"}), f"env.A=B: {BAD_NAME}"),
    (execute(env={"A\0": "1"}), f"env.A\\x00: {BAD_NAME}"),
    (execute(env={"A": "\0"}), f"env.A: {NO_NUL}"),
    (execute(env={"A\n$.cols`": 1}), "env.A\\n$.cols`: expected a string, got an integer"),
    (execute(stdin_data=[]), "stdin_data: expected a string, got an array"),
    (execute(timeout=-0.5), "timeout: expected a number >= 0.0"),
    (execute(timeout="5"), "timeout: expected a number, got a string"),
    (execute(timeout=True), "timeout: expected a number, got a boolean"),
    (execute(is_pty=1), "is_pty: expected a boolean, got an integer"),
    (execute(cols=0), "cols: expected an integer >= 1"),
    (execute(cols=2001), "cols: expected an integer <= 2000"),
    (execute(cols=10**30), "cols: expected an integer <= 2000"),
    (execute(cols=80.5), "cols: expected an integer, got a number"),
    (execute(cols=True), "cols: expected an integer, got a boolean"),
    (execute(rows=0), "rows: expected an integer >= 1"),
    (execute(rows=1001), "rows: expected an integer <= 1000"),
    (execute(context=""), "context: expected a string of length >= 1"),
    (execute(context="x" * 129), "context: expected a string of length <= 128"),
    (execute(open_stdin="yes"), "open_stdin: expected a boolean, got a string"),
    (execute(encoding="latin-1"), 'encoding: expected "utf-8" or "base64"'),
    (execute(encoding="` - at `$.cols`"), 'encoding: expected "utf-8" or "base64"'),
    (execute(encoding=8), "encoding: expected a string, got an integer"),
    (execute(collect=0), "collect: expected a boolean, got an integer"),
    (execute(max_chars=-1), "max_chars: expected an integer >= 0"),
    (execute(max_chars=1_000_001), "max_chars: expected an integer <= 1000000"),
    (execute(max_output_bytes=-1), "max_output_bytes: expected an integer >= 0"),
    (execute(max_output_bytes=2**53), "max_output_bytes: expected an integer <= 9007199254740991"),
    (start(command=[]), "command: expected a string, got an array"),
    (start(pty="yes"), "pty: expected a boolean, got a string"),
    (start(use_pty="yes", pty=True), "use_pty: expected a boolean, got a string"),
    (start(cols=0), "cols: expected an integer >= 1"),
    (start(rows=1001), "rows: expected an integer <= 1000"),
    (send(data=1), "data: expected a string, got an integer"),
    (send(close_stdin="no"), "close_stdin: expected a boolean, got a string"),
    (send(encoding="utf8"), 'encoding: expected "utf-8" or "base64"'),
    (resize(cols=0), "cols: expected an integer >= 1"),
    (resize(rows=10**9), "rows: expected an integer <= 1000"),
    (context(unset="A"), "unset: expected an array, got a string"),
    (context(unset=["A", "B", 3]), "unset[2]: expected a string, got an integer"),
    (context(unset=["A", ""]), f"unset[1]: {BAD_NAME}"),
    (context(unset=["A=B"]), f"unset[0]: {BAD_NAME}"),
    (context(unset=["\0"]), f"unset[0]: {BAD_NAME}"),
    (context(env={"A": 1}), "env.A: expected a string, got an integer"),
    (context(context=3), "context: expected a string, got an integer"),
    (signal(2), "signal: expected a string, got an integer"),
    (signal(""), f"signal: {A_SIGNAL}"),
    (signal("int"), f"signal: {A_SIGNAL}"),
    (signal("INT\n"), f"signal: {A_SIGNAL}"),
    (signal("INT\0"), f"signal: {A_SIGNAL}"),
    (signal("X" * 1000), f"signal: {A_SIGNAL}"),
]


@pytest.mark.parametrize(("fields", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_wrong_field_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        decode_client(json.dumps(fields))
    assert str(caught.value) == message
    assert caught.value.code == "INVALID_MESSAGE"


@pytest.mark.parametrize("number", ["1e999", "1" + "0" * 400])
def test_a_number_past_every_float_is_a_wrong_field_and_no_broken_json(number: str) -> None:
    with pytest.raises(InvalidMessage, match=r"^timeout: expected a .*number") as caught:
        decode_client(f'{{"type":"execute","id":"1","command":"","timeout":{number}}}')
    assert caught.value.message_id == "1"


@pytest.mark.parametrize(
    ("tag", "shown"),
    [
        ("attach_all", "attach_all"),
        ("", ""),
        ("Ping", "Ping"),
        ("x" * 1000, "x" * 64),
        ("a\nb\0", "a\\nb\\x00"),
        ("output", "output"),
        ("\U000f0000" * 64, ("\\U000f0000" * 64)[:64]),
    ],
)
def test_an_unknown_type(tag: str, shown: str) -> None:
    with pytest.raises(UnknownType) as caught:
        decode_client(json.dumps({"type": tag, "id": "1"}))
    assert str(caught.value) == f"unknown message type '{shown}'"
    assert caught.value.code == "UNKNOWN_TYPE"
    assert caught.value.operation == shown
    assert caught.value.message_id == "1"


@pytest.mark.parametrize("field", ["id", "command", "cwd", "context", "encoding", "request_id"])
def test_no_error_repeats_much_of_the_input(field: str) -> None:
    value = "\0" + "secret" * 10_000
    with pytest.raises(InvalidMessage) as caught:
        decode_client(json.dumps(execute(**{field: value})))
    assert len(str(caught.value)) < 200


def test_a_long_variable_name_is_cut() -> None:
    with pytest.raises(InvalidMessage) as caught:
        decode_client(json.dumps(execute(env={"A" * 10_000: 1})))
    assert str(caught.value) == f"env.{'A' * 64}: expected a string, got an integer"


def test_a_server_message_with_a_wrong_part() -> None:
    with pytest.raises(InvalidMessage, match=r"^sessions\[0\]\.pid: expected a value, found none$"):
        decode_server('{"type":"sessions_list","sessions":[{"id":"1"}]}')
    with pytest.raises(InvalidMessage, match=r"^env\.A: expected a string, got null$"):
        decode_server('{"type":"context_state","context":"c","cwd":"/","env":{"A":null}}')
    with pytest.raises(InvalidMessage, match=r"^stream: expected a known value$"):
        decode_server('{"type":"output","id":"1","data":"","stream":"stdlog","end":0}')
    with pytest.raises(UnknownType, match=r"^unknown message type 'fs_results'$"):
        decode_server('{"type":"fs_results"}')
