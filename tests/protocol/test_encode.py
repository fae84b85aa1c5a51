"""Which fields are encoded, and which are left out."""

from __future__ import annotations

import json

from shellwire.protocol.codec import encode
from shellwire.protocol.messages import (
    ByteCounts,
    Error,
    Notice,
    Output,
    Pong,
    Result,
)


def test_what_clients_expect_is_there_even_when_null() -> None:
    result = Result(
        id="1",
        exit_code=0,
        duration_ms=1.5,
        error=None,
        reason="exited",
        signal=None,
        cwd=None,
        committed=False,
        bytes=ByteCounts(stdout=0, stderr=0),
    )
    assert json.loads(encode(result)) == {
        "type": "result",
        "id": "1",
        "exit_code": 0,
        "duration_ms": 1.5,
        "error": None,
        "reason": "exited",
        "signal": None,
        "cwd": None,
        "committed": False,
        "bytes": {"stdout": 0, "stderr": 0},
    }
    refused = Error(id=None, message="m", code="INVALID_JSON")
    assert json.loads(encode(refused)) == {
        "type": "error",
        "id": None,
        "message": "m",
        "code": "INVALID_JSON",
    }


def test_background_is_there_only_when_true() -> None:
    quiet = Output(id="1", data="x", stream="stdout", end=1)
    assert encode(quiet) == b'{"type":"output","id":"1","data":"x","stream":"stdout","end":1}'
    late = Output(id="1", data="x", stream="stdout", end=1, background=True)
    assert json.loads(encode(late))["background"] is True


def test_a_request_id_is_there_only_when_given() -> None:
    assert encode(Pong()) == b'{"type":"pong"}'
    assert encode(Pong(request_id="r")) == b'{"type":"pong","request_id":"r"}'


def test_an_untruncated_collection_says_so() -> None:
    collected = Result(
        id="1",
        exit_code=0,
        duration_ms=0.0,
        error=None,
        reason="exited",
        signal=None,
        cwd="/",
        committed=True,
        bytes=ByteCounts(stdout=0, stderr=0),
        stdout="",
        stderr="",
        truncated=False,
    )
    fields = json.loads(encode(collected))
    assert (fields["stdout"], fields["stderr"], fields["truncated"]) == ("", "", False)


def test_a_file_name_that_is_not_utf8_does_not_stop_the_answer() -> None:
    notice = Notice(id="1", code="CWD_GONE", message="/tmp/\udcff is gone")
    assert json.loads(encode(notice))["message"] == "/tmp/\ufffd is gone"
