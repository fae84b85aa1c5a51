"""Decoding well-formed client messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shellwire.protocol.codec import (
    decode_client,
    type_of,
)
from shellwire.protocol.messages import (
    Ack,
    Auth,
    CancelCommand,
    Execute,
    Ping,
    SendInput,
    SetContext,
    StartSession,
)


def test_the_defaults_of_execute() -> None:
    message = decode_client('{"type":"execute","id":"1","command":"ls"}')
    assert message == Execute(
        id="1",
        command="ls",
        cwd=None,
        env={},
        stdin_data=None,
        timeout=120.0,
        is_pty=False,
        cols=80,
        rows=24,
        context="default",
        open_stdin=False,
        encoding="utf-8",
        collect=False,
        max_chars=50_000,
        max_output_bytes=None,
        request_id=None,
    )


def test_a_type_is_the_class_in_snake_case() -> None:
    assert type_of(Ping()) == "ping"
    assert type_of(CancelCommand(id="1")) == "cancel_command"
    assert type_of(Ack(id="1", operation="ping")) == "ack"
    assert type_of(Auth(client_id="c")) == "auth"


def test_null_means_absent() -> None:
    frame = '{"type":"execute","id":"1","command":"ls","timeout":null,"cols":null,"env":null}'
    assert decode_client(frame) == Execute(id="1", command="ls")


def test_an_empty_cwd_means_absent() -> None:
    frame = '{"type":"execute","id":"1","command":"","cwd":""}'
    assert decode_client(frame) == Execute(id="1", command="")
    assert decode_client('{"type":"start_session","id":"1","cwd":""}') == StartSession(id="1")
    assert decode_client('{"type":"set_context","cwd":""}') == SetContext()


def test_unknown_fields_are_ignored_whatever_they_hold() -> None:
    assert decode_client('{"type":"ping","on_disconnect":{"a":["\\u0000"]}}') == Ping()


def test_a_timeout_may_be_zero_whole_or_large() -> None:
    for text, seconds in (("0", 0.0), ("0.25", 0.25), ("5", 5.0), ("1e300", 1e300)):
        message = decode_client(f'{{"type":"execute","id":"1","command":"","timeout":{text}}}')
        assert isinstance(message, Execute)
        assert message.timeout == seconds


@pytest.mark.parametrize("cols", [1, 2000])
@pytest.mark.parametrize("rows", [1, 1000])
def test_the_smallest_and_largest_terminal(cols: int, rows: int) -> None:
    frame = json.dumps({"type": "resize", "id": "1", "cols": cols, "rows": rows})
    assert decode_client(frame).id == "1"


def test_nul_is_legal_in_input_alone() -> None:
    sent = decode_client('{"type":"send_input","id":"1","data":"a\\u0000"}')
    assert sent == SendInput(id="1", data="a\0")
    run = decode_client('{"type":"execute","id":"1","command":"cat","stdin_data":"\\u0000"}')
    assert run == Execute(id="1", command="cat", stdin_data="\0")


def test_an_escaped_backslash_is_no_nul() -> None:
    for frame in (
        '{"type":"execute","id":"1","command":"printf \\\\u0000"}',
        b'{"type":"execute","id":"1","command":"printf \\\\u0000"}',
    ):
        assert decode_client(frame) == Execute(id="1", command="printf \\u0000")


def test_a_large_command_is_taken_whole() -> None:
    command = "x" * 10_000_000
    message = decode_client(json.dumps({"type": "execute", "id": "1", "command": command}))
    assert isinstance(message, Execute)
    assert message.command == command


@pytest.mark.parametrize(
    ("fields", "use_pty"),
    [
        ({}, False),
        ({"pty": True}, True),
        ({"use_pty": True}, True),
        ({"use_pty": False, "pty": True}, False),
        ({"use_pty": True, "pty": False}, True),
        ({"use_pty": None, "pty": True}, True),
        ({"use_pty": True, "pty": None}, True),
        ({"use_pty": True, "pty": "not looked at"}, True),
    ],
)
def test_pty_is_another_name_of_use_pty(fields: dict[str, Any], use_pty: bool) -> None:
    message = decode_client(json.dumps({"type": "start_session", "id": "1"} | fields))
    assert message == StartSession(id="1", use_pty=use_pty)


def test_variable_names_that_shells_do_not_like_are_still_names() -> None:
    env = {"BASH_FUNC_f%%": "() { :; }", "a b": "", "1": "é", "x\n": "line\nline"}
    frame = json.dumps({"type": "execute", "id": "1", "command": "", "env": env})
    assert decode_client(frame) == Execute(id="1", command="", env=env)


def test_a_message_is_frozen() -> None:
    with pytest.raises(AttributeError):
        Ping().request_id = "r"  # type: ignore[misc]
