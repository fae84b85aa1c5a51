"""Read the settings file, which the user writes: keys, values and line numbers.

The command line checks which keys and values are valid.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shellwire.errors import HomeError, InvalidSettings
from shellwire.home.ownership import check_owner

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_POSITION = re.compile(r" \(at (?:line (\d+), (column \d+)|end of document)\)$")


@dataclass(frozen=True)
class Entry:
    """The value of one key, and the line on which its statement begins."""

    value: Any
    line: int
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)
    """If the value is a table: the line of each key in it."""


def read_config(path: Path) -> dict[str, Entry]:
    """Return the entries of the file at ``path``, by key; empty if there is no file.

    Raises InvalidSettings, which names the line, if the file is not TOML, and HomeError if it
    can't be read.
    """
    text = _read(path)
    lines: dict[str, int] = {}
    inner: dict[str, dict[str, int]] = {}
    values: dict[str, Any] = {}
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(path, text, error) from error
    except (ValueError, RecursionError):
        pass  # a huge number or too deep nesting: the next loop finds its line
    header = ""
    for line, is_header, parsed in _statements(path, text):
        if is_header:
            (header,) = parsed
        statement = parsed if is_header or not header else {header: parsed}
        for key, value in statement.items():
            lines.setdefault(key, line)
            for each in value if isinstance(value, dict) else ():
                inner.setdefault(key, {}).setdefault(each, line)
    return {key: Entry(value, lines[key], inner.get(key, {})) for key, value in values.items()}


def _read(path: Path) -> str:
    try:
        if path.is_symlink() and not path.exists():
            # Not the same as no file: the settings that it should hold would be ignored.
            raise HomeError(f"can't read {path}: the file that it links to does not exist")
        if path.exists() and not path.is_file():
            raise HomeError(f"can't read {path}: it is not a regular file")
        check_owner(path, path.stat())
        content = path.read_bytes()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise HomeError(f"can't read {path}: {error.strerror}") from error
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidSettings(path, line, "this line is not UTF-8") from error


def _syntax_error(path: Path, text: str, error: tomllib.TOMLDecodeError) -> InvalidSettings:
    message = str(error)
    position = _POSITION.search(message)
    line = int(position[1] or 0) if position else 0
    what = message[: position.start()] if position else message
    if position:
        what += f" ({position[2] or 'at the end of the file'})"
    return InvalidSettings(
        path, line or len(text.rstrip().splitlines()) or 1, f"it is not TOML: {what}"
    )


def _statements(path: Path, text: str) -> Iterator[tuple[int, bool, dict[str, Any]]]:
    """Yield each statement: its first line, whether it is a table's header, itself parsed alone.

    tomllib gives no positions. But a statement ends at the end of a line, and a shorter run of its
    lines is no valid TOML: a string or an array is still open.
    """
    begin, statement = 1, ""
    for number, line in enumerate(text.split("\n"), 1):
        statement += f"{line}\n"
        try:
            parsed = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        except (ValueError, RecursionError) as error:
            raise InvalidSettings(path, begin, "no setting can have such a value") from error
        if parsed:  # not a comment or an empty line
            yield begin, statement.lstrip().startswith("["), parsed
        begin, statement = number + 1, ""
