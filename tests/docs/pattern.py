"""Patterns of received messages in transcripts, and their comparison with real messages.

A pattern is JSON with four extensions:

- ``<int>``, ``<float>`` and ``<string>``, quoted as a whole value, match any value of that type (an
  integer is a float too). Inside a longer string they match the text of such a value.
- ``…`` after the last field of an object allows further fields; without it none are allowed.
- ``…`` as an element of an array matches any number of elements.
- ``<token>`` is replaced by the daemon's token before the comparison.
"""

from __future__ import annotations

import json
import re
from typing import Any

_MORE = "…"
# A string, which stays unchanged, or a "…" with the bracket or comma after it.
_LOOSE = re.compile(r'("(?:[^"\\]|\\.)*")|…\s*([],}])')
_TYPES: dict[str, type | tuple[type, ...]] = {
    "<int>": int,
    "<float>": (int, float),
    "<string>": str,
}
_INSIDE = {"<int>": r"-?\d+", "<float>": r"-?\d+(?:\.\d+)?", "<string>": r".*"}


def parse(text: str) -> Any:
    """Parse a pattern."""
    return json.loads(_LOOSE.sub(_strict, text))


def _strict(match: re.Match[str]) -> str:
    string, closing = match.groups()
    if string:
        return string
    return f'"{_MORE}": null}}' if closing == "}" else f'"{_MORE}"{closing}'


def mismatch(pattern: Any, value: Any, path: str = "") -> str | None:
    """Return where and how ``value`` differs from ``pattern``, or None."""
    if isinstance(pattern, dict):
        return _mismatched_object(pattern, value, path)
    if isinstance(pattern, list):
        return _mismatched_array(pattern, value, path)
    if isinstance(pattern, str) and pattern in _TYPES:
        fits = isinstance(value, _TYPES[pattern]) and not isinstance(value, bool)
    elif isinstance(pattern, str) and isinstance(value, str):
        fits = _regex(pattern).fullmatch(value) is not None
    else:
        fits = type(pattern) is type(value) and pattern == value
    return None if fits else f"{path or 'it'} is {value!r}, not {pattern!r}"


def _mismatched_object(pattern: dict[str, Any], value: Any, path: str) -> str | None:
    if not isinstance(value, dict):
        return f"{path or 'it'} is {value!r}, not an object"
    wanted = {name: each for name, each in pattern.items() if name != _MORE}
    missing = wanted.keys() - value.keys()
    if missing:
        return f"{path or 'it'} lacks {sorted(missing)}"
    further = value.keys() - wanted.keys()
    if further and _MORE not in pattern:
        return f"{path or 'it'} has {sorted(further)} too"
    for name, each in wanted.items():
        found = mismatch(each, value[name], f"{path}.{name}" if path else name)
        if found:
            return found
    return None


def _mismatched_array(pattern: list[Any], value: Any, path: str) -> str | None:
    if not isinstance(value, list):
        return f"{path or 'it'} is {value!r}, not an array"
    if _MORE in pattern:
        at = pattern.index(_MORE)
        tail = len(pattern) - at - 1
        if len(value) < at + tail:
            return f"{path or 'it'} has only {len(value)} elements"
        pattern = pattern[:at] + pattern[at + 1 :]
        value = value[:at] + value[len(value) - tail :]
    if len(pattern) != len(value):
        return f"{path or 'it'} has {len(value)} elements, not {len(pattern)}"
    for index, (each, found) in enumerate(zip(pattern, value, strict=True)):
        problem = mismatch(each, found, f"{path}[{index}]")
        if problem:
            return problem
    return None


def _regex(pattern: str) -> re.Pattern[str]:
    parts = re.split("(" + "|".join(_INSIDE) + ")", pattern)
    return re.compile("".join(_INSIDE.get(part, re.escape(part)) for part in parts), re.DOTALL)
