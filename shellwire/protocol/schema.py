"""Generate the JSON Schema of the protocol from the messages.

``python -m shellwire.protocol.schema`` prints it. ``--write`` writes it to ``schema.json`` beside
this file, which is committed and installed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args

import msgspec

from shellwire.protocol.messages import Auth, ClientMessage, FileResult, ServerMessage

SCHEMA_FILE = Path(__file__).with_name("schema.json")
"""The committed copy of the schema."""

_Schema = dict[str, Any]

_DESCRIPTION = (
    "One text frame of shellwire's WebSocket protocol is one of these objects. Fields that are not "
    "listed here are ignored. Only `data` and `stdin_data` may contain NUL."
)


def build() -> _Schema:
    """Return the schema: ``Auth`` for a client's first message, ``ClientMessage`` for all later."""
    client_kinds = (Auth, *get_args(ClientMessage))
    server_kinds = get_args(ServerMessage)
    _, components = msgspec.json.schema_components(
        [*client_kinds, *server_kinds, *get_args(FileResult)], ref_template="#/$defs/{name}"
    )
    for kind in client_kinds:
        _allow_absent(components[kind.__name__])
    components["StartSession"]["properties"]["pty"] = {
        "description": "An alias of `use_pty`, which wins over it.",
        "anyOf": [{"type": "boolean"}, {"type": "null"}],
        "default": False,
    }
    components["FsResult"]["properties"]["result"] = {
        "description": "The result; its type depends on `operation`.",
        "anyOf": [_reference(kind.__name__) for kind in get_args(FileResult)],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The shellwire protocol",
        "description": _DESCRIPTION,
        "anyOf": [_reference("Auth"), _reference("ClientMessage"), _reference("ServerMessage")],
        "$defs": {
            **dict(sorted(components.items())),
            "ClientMessage": _one_of(
                get_args(ClientMessage), "A message from an authenticated client"
            ),
            "ServerMessage": _one_of(server_kinds, "A message from the daemon"),
        },
    }


def render() -> str:
    """Return the text of ``schema.json``."""
    text = msgspec.json.format(msgspec.json.encode(build(), order="deterministic"), indent=2)
    return text.decode() + "\n"


def _allow_absent(schema: _Schema) -> None:
    """Allow null, and an empty ``cwd``, for absent: the codec drops both before validation."""
    properties = schema["properties"]
    for name in properties.keys() - set(schema["required"]):
        properties[name] = _or_null(properties[name])
    if "cwd" in properties:
        del properties["cwd"]["anyOf"][0]["minLength"]


def _or_null(schema: _Schema) -> _Schema:
    if {"type": "null"} in schema.get("anyOf", []):
        return schema
    outside: _Schema = {key: schema[key] for key in ("description", "default") if key in schema}
    inside = {key: value for key, value in schema.items() if key not in outside}
    return {**outside, "anyOf": [inside, {"type": "null"}]}


def _one_of(kinds: tuple[type[msgspec.Struct], ...], description: str) -> _Schema:
    return {
        "description": description,
        "anyOf": [_reference(kind.__name__) for kind in kinds],
        "discriminator": {
            "propertyName": "type",
            "mapping": {
                str(kind.__struct_config__.tag): f"#/$defs/{kind.__name__}" for kind in kinds
            },
        },
    }


def _reference(name: str) -> _Schema:
    return {"$ref": f"#/$defs/{name}"}


def main() -> None:
    """Print the schema, or write it with ``--write``."""
    if "--write" in sys.argv[1:]:
        SCHEMA_FILE.write_text(render(), encoding="utf-8")
    else:
        sys.stdout.write(render())


if __name__ == "__main__":
    main()
