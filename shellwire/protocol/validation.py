"""Describe validation errors: the path of the field, and what was expected.

msgspec names Python's types and paths such as ``$.env[...]``. The author of a client should read
``env.PATH: expected a string, got an integer``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shellwire.principals import NAME
from shellwire.protocol.fields import ENVIRONMENT_NAME, JOB_NAME, SIGNAL_NAME
from shellwire.protocol.token_messages import ISOLATE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from msgspec import ValidationError

MAX_EXCERPT = 64
"""Characters of a client's text that an error quotes."""

# The names of types in Python and in msgspec's errors.
_TYPES = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "int | float": "a number",
    "bool": "a boolean",
    "list": "an array",
    "array": "an array",
    "dict": "an object",
    "object": "an object",
    "NoneType": "null",
    "null": "null",
}

_PATTERNS = {
    ENVIRONMENT_NAME: "expected a name that an environment can hold",
    JOB_NAME: "expected letters, digits, `.`, `_` and `-` only",
    NAME: "expected a name of 1 to 32 characters: a to z, 0 to 9 and, not first, `.`, `_`, `-`",
    ISOLATE: "expected native, bwrap, docker:IMAGE, podman:IMAGE or nspawn:DIR",
    SIGNAL_NAME: 'expected the name of a signal, as "INT" or "SIGINT"',
}

_CHOICES = {
    "encoding": 'expected "utf-8" or "base64"',
    "on_disconnect": 'expected "keep" or "kill"',
    "role": 'expected "admin", "operator", "viewer" or "metrics"',
    "may_elevate.role": 'expected "admin", "operator", "viewer" or "metrics"',
}

# Fields that accept any number, although their type distinguishes integers.
_NUMBERS = {"timeout"}

_NOTHING = "expected a value, found none"
_MISSING = re.compile(r"Object missing required field `(\w+)`")


def excerpt(text: str) -> str:
    """Return the first ``MAX_EXCERPT`` characters of ``text``, escaped to fit one line."""
    return repr(text[:MAX_EXCERPT])[1:-1][:MAX_EXCERPT]


def json_type(value: object) -> str:
    """Return the name of a decoded value's JSON type, with an article."""
    return _TYPES[type(value).__name__]


def describe(error: ValidationError, fields: Mapping[str, object]) -> str:
    """Return ``error`` about ``fields`` as one line: ``<path>: expected ...``."""
    # Searched from the right: the text before it may quote the client.
    before, _, where = str(error).rpartition(" - at `")
    problem = before or where
    path = _path(where, fields) if before else ""
    missing = _MISSING.match(problem)
    if missing:
        name = missing.group(1)
        return f"{path}.{name}: {_NOTHING}" if path else f"{name}: {_NOTHING}"
    return f"{path}: {_expectation(problem, path)}"


def _path(where: str, fields: Mapping[str, object]) -> str:
    """Return ``$.unset[2]`` as ``unset[2]``; replace ``[...]`` by the name of the wrong entry."""
    is_name = where.startswith("key`")
    path = where.removeprefix("key` in `").removesuffix("`").removeprefix("$").removeprefix(".")
    name = path.removesuffix("[...]")
    entries = fields.get(name)
    if not isinstance(entries, dict) or not (is_name or name != path):
        return path
    for entry, value in entries.items():
        wrong = not re.search(ENVIRONMENT_NAME, entry) if is_name else not isinstance(value, str)
        if wrong:
            return f"{name}.{excerpt(entry)}"
    return name


def _expectation(problem: str, path: str) -> str:
    for pattern, words in _PATTERNS.items():
        if problem.endswith(f"matching regex {pattern!r}"):
            return words
    if problem.startswith("Invalid enum value"):
        return _CHOICES.get(path, "expected a known value")
    if not problem.startswith("Expected"):
        return "expected a finite number"
    words = re.sub(r"`([^`]*)`", _type_name, problem.replace(" | null`", "`"))
    if path in _NUMBERS:
        words = words.replace("an integer", "a number")
    return words[0].lower() + words[1:]


def _type_name(match: re.Match[str]) -> str:
    return _TYPES.get(match.group(1), match.group(1))
