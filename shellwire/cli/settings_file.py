"""The settings as keys and tables of config.toml: find them, and name what is wrong."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from shellwire.errors import InvalidSettings
from shellwire.home.config import Entry, read_config
from shellwire.home.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from shellwire.cli.setting import Setting


_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Problem(NamedTuple):
    """Why the file is refused: a key with its table, its line, and what is wrong with it."""

    key: str
    line: int
    reason: str


class SettingsFile:
    """All settings by their places in the file, each ``table.key`` or ``key``."""

    def __init__(self, settings: Sequence[Setting]) -> None:
        self._options_only = {each.key: each for each in settings if not each.in_file}
        in_file = [each for each in settings if each.in_file]
        self._tables = {each.subject.table for each in in_file} - {""}
        self._by_path = {each.path: each for each in in_file}
        self._by_path |= {each.key: each for each in in_file if each.subject.flat}

    def load(self, ctx: click.Context) -> dict[str, Entry]:
        """Return the entries of the home's file by setting; empty if there is no file.

        All are checked, even if an option or a variable overrides them. Raises InvalidSettings for
        the first that is wrong.
        """
        path = Home.locate().config_file
        entries, problems = self.check(read_config(path), ctx)
        if problems:
            first = problems[0]
            raise InvalidSettings(path, first.line, f"{first.key}: {first.reason}")
        return entries

    def check(
        self, found: Mapping[str, Entry], ctx: click.Context
    ) -> tuple[dict[str, Entry], list[Problem]]:
        """Return the valid entries by setting, with converted values, and all problems by line."""
        entries: dict[str, Entry] = {}
        places: dict[str, str] = {}
        problems: list[Problem] = []
        for path, entry in self._flatten(found):
            setting = self._by_path.get(path)
            name = "" if setting is None else str(setting.name)
            if setting is None:
                problems.append(Problem(path, entry.line, self._unknown(path)))
            elif name in entries:
                other = f"line {entries[name].line} sets it too, as {places[name]}"
                problems.append(Problem(path, entry.line, other))
            else:
                places[name] = path
                try:
                    value = setting.from_toml(entry.value, ctx)
                except click.BadParameter as error:
                    problems.append(Problem(path, entry.line, error.message.rstrip(".")))
                    value = None
                entries[name] = Entry(value, entry.line)
        wrong = {problem.key for problem in problems}
        valid = {name: entry for name, entry in entries.items() if places[name] not in wrong}
        return valid, sorted(problems, key=lambda problem: problem.line)

    def name_at(self, path: str) -> str | None:
        """Return the name of the setting at ``table.key`` or ``key``, None if there is none."""
        setting = self._by_path.get(path)
        return None if setting is None else setting.name

    def _flatten(self, found: Mapping[str, Entry]) -> Iterator[tuple[str, Entry]]:
        """Yield each key with the table that it is in, unless its table is unknown."""
        for key, entry in found.items():
            if key not in self._tables or not isinstance(entry.value, dict):
                yield _written(key), entry
                continue
            for inner, value in entry.value.items():
                line = entry.lines.get(inner, entry.line)
                yield f"{key}.{_written(inner)}", Entry(value, line)

    def _unknown(self, path: str) -> str:
        table, _, key = path.rpartition(".")
        if path in self._tables:
            return f"expected a table, [{path}]"
        only = self._options_only.get(key)
        if only is not None:
            return f"only an option, {only.opts[0]}, or its variable, {only.envvar}, sets it"
        close = guess(path, [*self._by_path, *self._tables])
        if close is None or table in self._tables:
            # The right key in the wrong table, or in none, is more likely than another key.
            close = self._elsewhere(key) or close
        meant = f"[{close}]" if close in self._tables else close
        return f"unknown setting{f' (is {meant} meant?)' if close else ''}"

    def _elsewhere(self, key: str) -> str | None:
        """Return the path of the setting whose key is most like ``key``, in whatever table."""
        paths = {each.key: path for path, each in self._by_path.items()}
        paths |= {each.key: each.path for each in self._by_path.values()}
        close = guess(key, paths)
        return None if close is None else paths[close]


def _written(key: str) -> str:
    """Return a key as TOML writes it: ``"limits.retain"`` in quotes is not in a table."""
    return key if _BARE.fullmatch(key) else as_toml(key)


def guess(name: str, names: Iterable[str]) -> str | None:
    """Return the one of ``names`` that is most like ``name``, None if none is."""
    from difflib import get_close_matches

    wanted = name.replace("-", "_")
    close = get_close_matches(wanted if wanted.isupper() else wanted.lower(), list(names), n=1)
    return close[0] if close else None


def as_toml(value: Any) -> str:
    """Return the value of a setting as TOML."""
    # For the types of settings, JSON literals are valid TOML.
    return json.dumps(value, ensure_ascii=False)
