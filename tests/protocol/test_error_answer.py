"""The ids and the type in an ``error`` message."""

from __future__ import annotations

import json

import pytest

from shellwire.errors import (
    NotFound,
    WireError,
)
from shellwire.protocol.codec import decode_client
from shellwire.protocol.error_answers import error_answer
from shellwire.protocol.messages import (
    Error,
    KillSession,
    Ping,
)


def refusal(**fields: object) -> Error:
    with pytest.raises(WireError) as caught:
        decode_client(json.dumps(fields))
    return error_answer(caught.value)


def test_an_error_carries_the_id_though_another_field_was_wrong() -> None:
    assert refusal(type="execute", id="1", command=2) == Error(
        id="1",
        message="command: expected a string, got an integer",
        code="INVALID_MESSAGE",
        operation="execute",
    )


@pytest.mark.parametrize("wrong", ["", 7, "x" * 129, "\0", None, ["1"]])
def test_a_wrong_id_is_null(wrong: object) -> None:
    answer = refusal(type="execute", id=wrong, command="ls")
    assert (answer.id, answer.operation) == (None, "execute")


def test_a_request_id_stands_in_both_places() -> None:
    answer = refusal(type="execute", id=7, command="ls", request_id="r")
    assert (answer.id, answer.request_id) == ("r", "r")
    answer = refusal(type="nonsense", id="1", request_id="r")
    assert (answer.id, answer.request_id, answer.operation) == ("r", "r", "nonsense")


def test_a_wrong_request_id_is_none() -> None:
    answer = refusal(type="ping", id="1", request_id=7)
    assert (answer.id, answer.request_id) == ("1", None)


def test_an_error_about_no_message_at_all() -> None:
    assert refusal() == Error(
        id=None, message="type: expected a string, found none", code="INVALID_MESSAGE"
    )


def test_an_error_of_a_message_that_was_well_formed() -> None:
    error = NotFound("no job has this id")
    assert error_answer(error, KillSession(id="1")) == Error(
        id="1", message="no job has this id", code="NOT_FOUND", operation="kill_session"
    )
    assert error_answer(error, KillSession(id="1", request_id="r")).id == "r"
    assert error_answer(error, Ping()).id is None
