"""A client decodes the daemon's messages: bounded, and of the protocol's types."""

from __future__ import annotations

import io
import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given

from shellwire.errors import InvalidAnswer
from shellwire.protocol import answers, codec, messages
from shellwire.protocol.file_results import RESULTS
from shellwire.protocol.limits import MAX_DAEMON_MESSAGE, MAX_NESTING
from shellwire.server.files import worker
from shellwire.server.frame_socket import FrameSocket
from shellwire.server.writer import FairWriter
from tests.protocol.strategies import server_messages


@given(server_messages())
def test_every_message_of_the_daemon_is_read(message: messages.ServerMessage) -> None:
    frame = codec.encode(message)
    read = answers.read(frame)
    if isinstance(message, messages.FsResult):
        assert msgspec.json.decode(read["result"]) == message.result
    else:
        assert read == msgspec.to_builtins(message)


def test_every_operation_on_files_has_a_type() -> None:
    operations = {str(kind.__struct_config__.tag) for kind in get_args(messages.FileMessage)}
    assert set(RESULTS) == operations


def test_a_newer_daemon_may_say_more() -> None:
    assert answers.read(b'{"type": "later", "request_id": "r", "x": [{}]}') == {
        "type": "later",
        "id": None,
        "request_id": "r",
    }
    ended = answers.read(b'{"type": "result", "reason": "limit", "which": {"memory": 1}}')
    assert ended == {"type": "result", "reason": "limit"}


def test_an_older_daemon_may_say_less() -> None:
    status = answers.read(b'{"type": "status", "limits": {"buffer_bytes": 1}}')
    assert status["limits"]["buffer_bytes"] == 1
    with pytest.raises(InvalidAnswer, match="without max_message_bytes"):
        status["limits"]["max_message_bytes"]
    assert status.get("features") is None


def nested(levels: int) -> bytes:
    return b'{"type": "pong", "x": %s}' % (b"[" * (levels - 1) + b"]" * (levels - 1))


def test_levels() -> None:
    brackets = json.dumps({"type": "pong", "x": "[" * 1000 + '\\"' + "{" * 1000}).encode()
    assert answers.read(brackets)["type"] == "pong"
    assert answers.read(nested(MAX_NESTING))["type"] == "pong"
    for levels in (MAX_NESTING + 1, 100_000):
        with pytest.raises(InvalidAnswer):
            answers.read(nested(levels))
    flat = b'{"type": "pong", "x": [%s1]}' % (b'{"a": [[], {}]},' * 10_000)
    assert answers.read(flat)["type"] == "pong"


@pytest.mark.parametrize(
    "content",
    [
        {"type": "jobs_list", "jobs": [{"pids": ["1"]}]},
        {"type": "jobs_list", "jobs": {"a": {}}},
        {"type": "context_state", "env": {"A": 1}},
        {"type": "output", "stream": "log"},
        {"type": "output_page", "gap": [1]},
        {"type": "status", "features": [1]},
        {"type": "result", "exit_code": 1.5},
        {"type": "fs_result", "operation": 1, "result": {}},
    ],
)
def test_wrong_types(content: Any) -> None:
    with pytest.raises(InvalidAnswer, match="an invalid message"):
        answers.read(json.dumps(content).encode())


# What a daemon can send --------------------------------------------------------------------------


class FullSocket(FrameSocket):
    """A socket that takes nothing."""

    has_room = False

    def __init__(self) -> None:
        """Have no connection."""

    def write(self, frame: bytes) -> None:
        raise AssertionError(frame)

    def failed(self, error: Exception) -> None:
        raise AssertionError from error


async def test_an_answer_that_would_be_too_large_is_an_error() -> None:
    writer = FairWriter(FullSocket())
    env = {"A": "x" * MAX_DAEMON_MESSAGE}
    writer.put(messages.ContextState(context="c", cwd="/", env=env, request_id="r", id="i"))
    payload = writer._next()
    assert isinstance(payload, bytes)
    error = answers.read(payload)
    assert (error["type"], error["code"]) == ("error", "INTERNAL_ERROR")
    assert error["id"] == error["request_id"] == "r"


def test_a_list_of_files_is_cut_at_what_a_message_may_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Name(msgspec.Struct):
        name: str

    monkeypatch.setattr(worker, "MAX_ENTRY_BYTES", 1000)
    out = io.BytesIO()
    assert worker._write((Name("x" * 80) for _ in range(100)), out, 300)
    written = out.getvalue()
    assert 800 < len(written) <= 1000
    assert written.endswith(b"}\t")
    assert len(json.loads(b"[" + written + b"]")) == len(written) // 90
    assert not worker._write((Name("x") for _ in range(10)), io.BytesIO(), 0)


def test_output_fits_a_message() -> None:
    escaped = 6  # \u0000
    page = messages.MAX_PAGE * escaped + 4096 * 100
    collected = 2 * messages.MAX_CHARS * escaped
    context = 1024 * 1024 * 9  # a private-use character: 3 bytes, encoded as 3 each
    assert max(page, collected + context) < MAX_DAEMON_MESSAGE
    assert worker.MAX_ENTRY_BYTES < MAX_DAEMON_MESSAGE
