"""PROTOCOL.md, the schema and the code say the same: messages, fields, errors, reasons, closes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

import shellwire
from shellwire.errors import CODES, Refusal
from shellwire.principals import ROLES
from shellwire.protocol import codec, messages
from shellwire.protocol.fields import Reason
from shellwire.protocol.limits import KICKED, REPLACED
from shellwire.protocol.schema import SCHEMA_FILE
from shellwire.server import connections, roles
from shellwire.server.frame_rules import INVALID_TEXT, PROTOCOL_ERROR, TOO_BIG
from shellwire.server.http_files import errors
from tests.docs.document import Document, Row, Section, code

if TYPE_CHECKING:
    from collections.abc import Iterator

PROTOCOL = Document("PROTOCOL.md")
SCHEMA: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))["$defs"]

CLIENT = {kind.__struct_config__.tag: kind for kind in get_args(messages.ClientMessage)}
CLIENT["auth"] = messages.Auth
SERVER = {kind.__struct_config__.tag: kind for kind in get_args(messages.ServerMessage)}
RECORDS = {
    "Limits": "Limits",
    "Job": "JobInfo",
    "Session": "SessionInfo",
    "Client": "ClientInfo",
    "Principal": "PrincipalInfo",
    "Token": "TokenInfo",
    "Elevation": "Elevation",
    "Raised": "ElevationInfo",
    "Chunk": "Chunk",
    "Missing": "Missing",
    "Bytes": "ByteCounts",
    **{kind.__name__: kind.__name__ for kind in get_args(messages.FileResult)},
    "Capabilities": "Capabilities",
    "SearchMatch": "SearchMatch",
}


def name_of(section: Section) -> str:
    return section.title.strip("`")


CLIENT_SECTIONS = PROTOCOL.below("Messages of the client")
SERVER_SECTIONS = PROTOCOL.below("Messages of the daemon")
RECORD_SECTIONS = PROTOCOL.below("Records")


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a field's schema with references resolved, and ``types``, its possible JSON types."""
    found = dict(schema)
    choices = [*choices_of(schema)]
    for part in [schema, *choices]:
        if "$ref" in part:
            found.update(SCHEMA[part["$ref"].rpartition("/")[2]])
        found.update({key: value for key, value in part.items() if key != "description"})
    parts = choices or [found]
    found["types"] = {name for part in parts for name in types_of(part)}
    if "number" in found["types"]:  # an integer is one
        found["types"].discard("integer")
    return found


def choices_of(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for part in schema.get("anyOf", []):
        if "anyOf" in part:
            yield from choices_of(part)
        else:
            yield part


def types_of(schema: dict[str, Any]) -> set[str]:
    if "$ref" in schema:
        return types_of(SCHEMA[schema["$ref"].rpartition("/")[2]])
    if "type" in schema:
        return {schema["type"]}
    return {"null" if value is None else "string" for value in schema["enum"]}


def fields_of(definition: str) -> dict[str, dict[str, Any]]:
    properties = SCHEMA[definition]["properties"]
    return {name: resolved(each) for name, each in properties.items() if name != "type"}


def rows_of(section: Section) -> dict[str, Row]:
    tables = section.tables
    return {code(row["field"]): row for row in tables[0]} if tables else {}


def types_in(cell: str) -> set[str]:
    return set(cell.split(" or "))


def numbers_in(text: str) -> set[float]:
    return {float(number) for number in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", text)}


# Messages ----------------------------------------------------------------------------------------


def test_every_message_has_a_section() -> None:
    assert [name_of(section) for section in CLIENT_SECTIONS[:1]] == ["auth"]
    assert {name_of(section) for section in CLIENT_SECTIONS} == CLIENT.keys()
    assert {name_of(section) for section in SERVER_SECTIONS} == SERVER.keys()
    assert len(CLIENT_SECTIONS) == len(CLIENT)
    assert len(SERVER_SECTIONS) == len(SERVER)


def test_every_record_has_a_section() -> None:
    assert {section.title for section in RECORD_SECTIONS} == RECORDS.keys()
    kinds = {kind.__name__ for kind in (*CLIENT.values(), *SERVER.values())}
    objects = {name for name, each in SCHEMA.items() if each.get("type") == "object"}
    assert objects - kinds == set(RECORDS.values())


@pytest.mark.parametrize("section", CLIENT_SECTIONS, ids=name_of)
def test_fields_of_the_client(section: Section) -> None:
    kind = CLIENT[name_of(section)].__name__
    fields, rows = fields_of(kind), rows_of(section)
    assert rows.keys() == fields.keys() - {"request_id"}
    for name, row in rows.items():
        field = fields[name]
        assert types_in(row["type"]) == field["types"] - {"null"}, name
        assert (row["default"] == "required") == (name in SCHEMA[kind]["required"]), name
        default = field.get("default")
        if default is not None:
            assert json.loads(code(row["default"])) == default, name
        elif name not in SCHEMA[kind]["required"]:
            assert row["default"] == "absent", name
        assert_range(name, field, row["meaning"])


ANY_FINITE_NUMBER = {("timeout", "maximum"), ("detach_ttl", "maximum")}


def assert_range(name: str, field: dict[str, Any], text: str) -> None:
    limits = {"minimum", "maximum", "minLength", "maxLength"} & field.keys()
    if name == "cwd":
        limits.discard("minLength")  # the empty string means absent
    for limit in limits:
        if (name, limit) not in ANY_FINITE_NUMBER:
            assert float(field[limit]) in numbers_in(text), f"{name}: {limit} {field[limit]}"
    for value in field.get("enum", []):
        assert value is None or f'"{value}"' in text, f"{name}: {value}"


@pytest.mark.parametrize("section", SERVER_SECTIONS, ids=name_of)
def test_fields_of_the_daemon(section: Section) -> None:
    kind = SERVER[name_of(section)].__name__
    fields, rows = fields_of(kind), rows_of(section)
    assert rows.keys() == fields.keys()
    for name, row in rows.items():
        optional = name not in SCHEMA[kind]["required"]
        always = row["present"] == "always"
        # An ack answers nothing but requests that have one.
        assert always != optional or (kind, name) == ("Ack", "request_id"), name
        types = fields[name]["types"] - ({"null"} if optional else set())
        assert types_in(row["type"]) == types, name
        for value in fields[name].get("enum", []):
            assert value is None or f'"{value}"' in row["meaning"], f"{name}: {value}"


@pytest.mark.parametrize("section", RECORD_SECTIONS, ids=lambda section: str(section.title))
def test_fields_of_records(section: Section) -> None:
    kind = RECORDS[section.title]
    fields, rows = fields_of(kind), rows_of(section)
    assert rows.keys() == fields.keys()
    for name in fields.keys() - set(SCHEMA[kind]["required"]):
        assert "absent" in rows[name]["meaning"], name
    for name, row in rows.items():
        optional = name not in SCHEMA[kind]["required"]
        types = fields[name]["types"] - ({"null"} if optional else set())
        assert types_in(row["type"]) == types, name
        for value in fields[name].get("enum", []):
            assert value is None or f'"{value}"' in row["meaning"], f"{name}: {value}"


@pytest.mark.parametrize("section", CLIENT_SECTIONS + SERVER_SECTIONS, ids=name_of)
def test_example(section: Section) -> None:
    (block,) = [each for each in PROTOCOL.blocks if each.heading == section.title]
    assert block.kind == "json"
    example = json.loads(block.text)
    name = name_of(section)
    if name == "auth":
        message: Any = codec.decode_auth(block.text)
    elif name in CLIENT:
        message = codec.decode_client(block.text)
    else:
        message = codec.decode_server(block.text)
    assert codec.type_of(message) == name
    assert_known(example, type(message).__name__)


def assert_known(example: dict[str, Any], kind: str) -> None:
    """Check that an example has no field that decoding would pass over, at any depth."""
    properties = SCHEMA[kind]["properties"]
    assert example.keys() <= properties.keys()
    for name, value in example.items():
        reference = properties[name].get("$ref") or properties[name].get("items", {}).get("$ref")
        if reference:
            for part in value if isinstance(value, list) else [value]:
                assert_known(part, reference.rpartition("/")[2])


# Lists -------------------------------------------------------------------------------------------


def test_error_codes() -> None:
    rows = PROTOCOL.section("Errors").table()
    assert sorted(code(row["code"]) for row in rows) == list(CODES)


def test_statuses_of_http() -> None:
    (_, _, statuses) = PROTOCOL.section("Files by HTTP").tables
    documented = {
        (name, int(code(row["status"])))
        for row in statuses
        for name in re.findall(r"`(\w+)`", row["code"])
    }
    assert set(errors.STATUS.items()) <= documented
    rest = documented - set(errors.STATUS.items())
    of_http = {
        ("FORBIDDEN", 403),
        ("INVALID_ARGUMENT", 405),
        ("CONFLICT", 409),
        ("INVALID_ARGUMENT", 416),
        ("INVALID_TOKEN", 429),
    }
    refused = {("FS_OS_ERROR", status) for status in errors.STATUS_OF_ERRNO.values()}
    assert rest == of_http | refused


def test_refusals_and_their_order() -> None:
    documented = [
        (code(row["code"]), int(row["close"])) for row in PROTOCOL.section("Authentication").table()
    ]
    kinds = Refusal.__subclasses__()
    assert sorted(documented) == sorted((kind.code, kind.close_code) for kind in kinds)
    assert documented == sorted(documented, key=lambda pair: pair[1])


def test_close_codes() -> None:
    documented = [int(row["code"]) for row in PROTOCOL.section("Close codes").table()]
    of_websockets = [1000, PROTOCOL_ERROR, INVALID_TEXT, TOO_BIG]
    ours = [connections.GOING_AWAY, connections.REVOKED, Refusal.close_code, REPLACED, KICKED]
    refusals = [kind.close_code for kind in Refusal.__subclasses__()]
    assert documented == sorted(of_websockets + ours + refusals)


def test_reasons() -> None:
    rows = PROTOCOL.section("Endings").table()
    assert [code(row["reason"]) for row in rows] == list(get_args(Reason))


def test_notices() -> None:
    package = Path(shellwire.__file__).parent
    source = "\n".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    sent = set(re.findall(r'notify\(\s*"([A-Z_]+)"', source))
    assert {code(row["code"]) for row in PROTOCOL.section("Notices").table()} == sent


def test_the_table_of_roles() -> None:
    (table,) = PROTOCOL.section("Principals and roles").tables
    documented = {
        name.replace(" ", ""): {role: row[role] for role in ROLES}
        for row in table
        for name in re.findall(r"`([^`]+)`", row["message"])
    }
    assert documented == {**roles.MESSAGES, **roles.HTTP}
