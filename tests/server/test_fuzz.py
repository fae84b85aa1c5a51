"""Invalid frames of every kind: each gets exactly one typed error, and later commands work."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any, get_args

import pytest

from shellwire.errors import CODES
from shellwire.protocol import codec
from shellwire.protocol.messages import ClientMessage
from shellwire.protocol.schema import build
from tests.server.raw import TEXT, Raw, frame

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.live import Daemon, Message

SCHEMA = build()["$defs"]
TYPES = {codec.type_of(kind): kind.__name__ for kind in get_args(ClientMessage)}

# The required fields of a message in which one field is wrong.
REQUIRED: Message = {
    "id": "fuzz",
    "command": ":",
    "data": "",
    "cols": 80,
    "rows": 24,
    "end": 0,
    "signal": "INT",
    "root": "/",
    "path": "etc",
    "new_path": "etc",
    "query": "x",
    "upload_id": "x",
    "content_base64": "",
    "name": "fuzz",
    "role": "viewer",
    "client_id": "fuzz",
    "reason": "a test of wrong fields",
}

VALUES: dict[str, list[Any]] = {
    "boolean": [True, False],
    "integer": [0, -1, 2**31, 2**64, -(2**70)],
    "number": [0.5, -1e308, 1e-308],
    "string": ["", "x", "\0", "\ufffd", "x" * 200],
    "array": [[], [None], [[]], [{}]],
    "object": [{}, {"type": "ping"}, {"": 1}],
}


def _allowed(schema: dict[str, Any]) -> set[str]:
    """Return the JSON types that a schema allows."""
    if "anyOf" in schema:
        return set().union(*(_allowed(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return {"string"}
    if "$ref" in schema:
        return {"object"}
    return {schema["type"]} | ({"integer"} if schema["type"] == "number" else set())


def _wrong_fields() -> Iterable[tuple[str, bytes]]:
    """Yield, for every field, its path and a frame in which only that field has a wrong type."""
    for tag, name in TYPES.items():
        properties = SCHEMA[name]["properties"]
        whole = {field: REQUIRED[field] for field in SCHEMA[name]["required"] if field != "type"}
        for field, schema in properties.items():
            if field == "type":
                continue
            for kind in VALUES.keys() - _allowed(schema):
                for value in VALUES[kind]:
                    yield field, json.dumps({"type": tag, **whole, field: value}).encode()


async def _exchange(raw: Raw, frames: list[bytes]) -> list[Message]:
    """Send frames, each followed by a ping; return the one answer to each."""
    answers = []
    for at in range(0, len(frames), 50):
        batch = list(enumerate(frames[at : at + 50]))
        for number, data in batch:
            raw.write(frame(TEXT, data))
            raw.send({"type": "ping", "id": f"after {number}"})
        for number, data in batch:
            answers.append(await raw.receive())
            assert await raw.receive() == {"type": "pong", "id": f"after {number}"}, data[:200]
    return answers


async def _works(raw: Raw) -> None:
    raw.send({"type": "execute", "id": "good", "command": "echo good"})
    assert (await raw.until("output"))["data"] == "good\n"
    assert (await raw.until("result"))["exit_code"] == 0


async def test_wrong_types_in_every_field(daemon: Daemon) -> None:
    raw = await Raw.client(daemon, "wrong types")
    cases = list(_wrong_fields())
    assert len(cases) > 1000
    answers = await _exchange(raw, [data for _, data in cases])
    for (field, data), answer in zip(cases, answers, strict=True):
        sent = json.loads(data)
        assert (answer["type"], answer["code"]) == ("error", "INVALID_MESSAGE"), (data, answer)
        assert answer["operation"] == sent["type"]
        assert answer["message"].startswith(field), (data, answer)
        assert "\n" not in answer["message"]
    await _works(raw)


GARBAGE = [
    b"",
    b" ",
    b"{",
    b"}",
    b"nul",
    b"[]",
    b"7",
    b'"ping"',
    b"true",
    b"{}",
    b"{}{}",
    b'{"type":"ping"}{"type":"ping"}',
    b'{"type":"ping",}',
    b"{'type':'ping'}",
    b'{"type":"ping","id":NaN}',
    b'{"type":"ping","id":1e999}',
    b'{"type":"ping","id":' + b"9" * 5000 + b"}",
    b'{"type":"execute","id":"x","command":":","timeout":1e999}',
    b'{"type":"execute","id":"x","command":":","timeout":-0.5}',
    b'{"type":"execute","id":"x","command":":","timeout":' + b"9" * 400 + b"}",
    b'{"type":"resize","id":"x","cols":1e2,"rows":24.5}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"type":"ping","id":' + b"[" * 100_000,
    b'{"type":"ping","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"type":"ping"\0}',
    b'{"type":"execute","id":"x","command":"a\\u0000b"}',
    b'{"type":"execute","id":"x\\u0000","command":":"}',
    b'{"type":"execute","id":"x","command":":","cwd":"/\\u0000"}',
    b'{"type":"execute","id":"x","command":":","env":{"A\\u0000":""}}',
    b'{"type":"execute","id":"x","command":":","env":{"A":"\\u0000"}}',
    b'{"type":"execute","id":"x","command":"\\ud800"}',
    b'{"type":"execute","id":"x","command":"\\udc00\\ud800"}',
    b'{"type":"execute","id":"x","command":"\xed\xa0\x80"}',
    b'{"type":"execute","id":"x","command":"\xff"}',
    b'\xef\xbb\xbf{"type":"ping"}',
    '{"type":"ping"}'.encode("utf-16"),
    b'{"type":"send_input","id":"x","data":"@","encoding":"base64"}',
    b'{"type":"send_input","id":"x","data":"QQ=","encoding":"base64"}',
    b'{"type":"execute","id":"x","command":":","max_chars":1000001}',
    b'{"type":"execute","id":"x","command":":","cols":0}',
    b'{"type":"execute","id":"x","command":":","cols":2001}',
    b'{"type":"start_session","id":"x","rows":1001}',
    b'{"type":"start_session","id":"x","pty":"yes"}',
    b'{"type":"signal","id":"x","signal":"INT\\n"}',
    b'{"type":"signal","id":"x","signal":"9"}',
]


async def test_garbage(daemon: Daemon) -> None:
    raw = await Raw.client(daemon, "garbage")
    for data, answer in zip(GARBAGE, await _exchange(raw, GARBAGE), strict=True):
        assert answer["type"] == "error", (data[:100], answer)
        assert answer["code"] in ("INVALID_JSON", "INVALID_MESSAGE"), (data[:100], answer)
        assert len(answer["message"]) < 300
    await _works(raw)


@pytest.mark.parametrize("seed", range(4))
async def test_mutated_messages(daemon: Daemon, seed: int) -> None:
    dice = random.Random(seed)
    seeds = [
        b'{"type":"ping","id":"\xc3\xa9","request_id":"r"}',
        b'{"type":"resize","id":"none","cols":80,"rows":24,"request_id":null}',
        b'{"type":"list_sessions","id":"i","request_id":"\\u00e9"}',
        b'{"type":"send_input","id":"none","data":"\\u00e9","encoding":"base64"}',
    ]

    def mutated() -> bytes:
        data = bytearray(dice.choice(seeds))
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(data) + 1)
            data[at : at + dice.randint(0, 3)] = dice.choice(
                (dice.randbytes(dice.randint(0, 3)), dice.choice(seeds)[at : at + 5], b"{", b'"')
            )
        return bytes(data)

    raw = await Raw.client(daemon, f"mutated {seed}")
    answers = await _exchange(raw, [mutated() for _ in range(1000)])
    errors = [answer for answer in answers if answer["type"] == "error"]
    assert len(errors) > 500
    assert {answer["code"] for answer in errors} <= set(CODES) - {"INTERNAL_ERROR"}
    await _works(raw)


async def test_random_bytes_instead_of_frames_or_requests(daemon: Daemon) -> None:
    dice = random.Random(7)
    for _ in range(50):
        raw = await Raw.client(daemon, "noise")
        raw.write(dice.randbytes(dice.randint(1, 300)) + b"\xff" * 20)
        plain = await Raw.open(daemon)
        plain.write(dice.randbytes(dice.randint(1, 300)) + b"\r\n\r\n")
        for each in (raw, plain):
            each.writer.write_eof()
            await each.gone()
    await _works(await Raw.client(daemon, "noise"))
