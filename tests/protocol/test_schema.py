"""The committed schema matches the code."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import get_args

import pytest

from shellwire.errors import CODES
from shellwire.protocol.messages import ClientMessage, ServerMessage
from shellwire.protocol.schema import SCHEMA_FILE, build, render


def test_the_committed_schema_is_current() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == render(), (
        "run: python -m shellwire.protocol.schema --write"
    )


def test_the_command_prints_it() -> None:
    command = [sys.executable, "-m", "shellwire.protocol.schema"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == render().encode()


@pytest.mark.parametrize("kind", [*get_args(ClientMessage), *get_args(ServerMessage)])
def test_every_message_has_one_line_of_purpose(kind: type) -> None:
    description = build()["$defs"][kind.__name__]["description"]
    assert "\n" not in description
    assert description.endswith(".")


def test_every_reference_leads_somewhere() -> None:
    text = render()
    names = {part.split('"')[0] for part in text.split('"#/$defs/')[1:]}
    assert names <= json.loads(text)["$defs"].keys()


def test_absence_is_in_the_schema() -> None:
    properties = build()["$defs"]["Execute"]["properties"]
    assert {"type": "null"} in properties["timeout"]["anyOf"]
    assert {"type": "null"} in properties["cwd"]["anyOf"]
    assert "minLength" not in properties["cwd"]["anyOf"][0]
    assert "anyOf" not in properties["command"]
    assert "pty" in build()["$defs"]["StartSession"]["properties"]


def test_every_code_is_listed_once() -> None:
    assert len(CODES) == len(set(CODES)) == 31
    assert "INVALID_JSON" in CODES
