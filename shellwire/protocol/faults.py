"""What is wrong with a message, in words: the path of the field, and what it should have been.

The validation speaks of Python's types and of ``$.env[...]``; a client's author should read
``env.PATH: expected a string, got an integer``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shellwire.protocol.fields import ENVIRONMENT_NAME, JOB_NAME, SIGNAL_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from msgspec import ValidationError

LONGEST_ECHO = 64
"""Characters of a client's own text that an error repeats."""

# Both Python's names and those that the validation gives.
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
    SIGNAL_NAME: 'expected the name of a signal, as "INT" or "SIGINT"',
}

_CHOICES = {
    "encoding": 'expected "utf-8" or "base64"',
    "on_disconnect": 'expected "keep" or "kill"',
}

# Fields that take any number, though whole ones have a type of their own.
_NUMBERS = {"timeout"}

_NOTHING = "expected a value, found none"
_MISSING = re.compile(r"Object missing required field `(\w+)`")


def shown(text: str) -> str:
    """Return ``text`` on one line, at most ``LONGEST_ECHO`` characters of it."""
    return repr(text[:LONGEST_ECHO])[1:-1][:LONGEST_ECHO]


def kind_of(value: object) -> str:
    """Name the JSON type of ``value``, a part of decoded JSON, with its article."""
    return _TYPES[type(value).__name__]


def describe(error: ValidationError, fields: Mapping[str, object]) -> str:
    """Say in one line what ``error`` found wrong with ``fields``: ``<path>: expected ...``."""
    # From the right: what comes before it may repeat the client's text.
    before, _, where = str(error).rpartition(" - at `")
    problem = before or where
    path = _path(where, fields) if before else ""
    missing = _MISSING.match(problem)
    if missing:
        name = missing.group(1)
        return f"{path}.{name}: {_NOTHING}" if path else f"{name}: {_NOTHING}"
    return f"{path}: {_expectation(problem, path)}"


def _path(where: str, fields: Mapping[str, object]) -> str:
    """Return ``$.unset[2]`` as ``unset[2]``, and find which entry of an object is meant."""
    is_name = where.startswith("key`")
    path = where.removeprefix("key` in `").removesuffix("`").removeprefix("$").removeprefix(".")
    name = path.removesuffix("[...]")
    entries = fields.get(name)
    if not isinstance(entries, dict) or not (is_name or name != path):
        return path
    for entry, value in entries.items():
        wrong = not re.search(ENVIRONMENT_NAME, entry) if is_name else not isinstance(value, str)
        if wrong:
            return f"{name}.{shown(entry)}"
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
