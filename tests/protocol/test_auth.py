"""The first message of a connection, and the order of its refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shellwire.errors import (
    AuthInvalidJson,
    AuthRequired,
    MissingClientId,
)
from shellwire.protocol.codec import decode_auth
from shellwire.protocol.messages import (
    Auth,
)


def test_auth_with_all_its_fields() -> None:
    frame = '{"type":"auth","token":"t","client_id":"c","protocol":1,"request_id":"r"}'
    assert decode_auth(frame) == Auth(client_id="c", token="t", protocol=1, request_id="r")


@pytest.mark.parametrize("token", [None, 1, ["t"], {}, True])
def test_a_token_of_another_type_is_a_missing_one(token: object) -> None:
    frame = json.dumps({"type": "auth", "client_id": "c", "token": token})
    assert decode_auth(frame) == Auth(client_id="c")


@pytest.mark.parametrize("protocol", [None, "1", 1.0, True, [1]])
def test_a_protocol_that_is_no_integer_is_absent(protocol: object) -> None:
    frame = json.dumps({"type": "auth", "client_id": "c", "protocol": protocol})
    assert decode_auth(frame) == Auth(client_id="c")


@pytest.mark.parametrize("frame", ["", "{", "[]", "null", "[" * 100_000, b'{"\xff":1}'])
def test_auth_that_is_no_json_object(frame: str | bytes) -> None:
    with pytest.raises(AuthInvalidJson) as caught:
        decode_auth(frame)
    assert (caught.value.code, caught.value.close_code) == ("INVALID_JSON", 4002)


@pytest.mark.parametrize("fields", [{}, {"type": "ping"}, {"type": 1}, {"type": ["auth"]}])
def test_another_first_message(fields: dict[str, Any]) -> None:
    with pytest.raises(AuthRequired) as caught:
        decode_auth(json.dumps(fields | {"client_id": ""}))
    assert (caught.value.code, caught.value.close_code) == ("AUTH_REQUIRED", 4003)


@pytest.mark.parametrize("client_id", [None, "", 1, "x" * 129, "a\0", ["c"]])
def test_an_unusable_client_id(client_id: object) -> None:
    with pytest.raises(MissingClientId) as caught:
        decode_auth(json.dumps({"type": "auth", "client_id": client_id, "token": 1}))
    assert (caught.value.code, caught.value.close_code) == ("MISSING_CLIENT_ID", 4004)
