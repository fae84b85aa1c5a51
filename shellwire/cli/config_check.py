"""What a settings file would break or change, compared with the running daemon."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from shellwire.cli.in_use import InUse
from shellwire.cli.options import SETTINGS
from shellwire.cli.setting import Setting
from shellwire.cli.settings_file import as_toml
from shellwire.cli.start import refuse_plaintext, start_command
from shellwire.errors import InvalidSettings, StartError, Unreachable
from shellwire.home import pidfile
from shellwire.home.config import read_config
from shellwire.home.paths import Home
from shellwire.home.settings import PRESETS, Settings

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping
    from pathlib import Path

    from shellwire.home.config import Entry
    from shellwire.home.pidfile import DaemonRecord

Kind = Literal["refused", "breaks", "restart", "reload", "overridden", "unchecked"]

_BAD = ("refused", "breaks", "unchecked")


class Finding(NamedTuple):
    """One finding about a file; ``key`` has its table in front, ``line`` is its line there.

    Both are None for a finding about the daemon; ``line`` is None for a key that is not in the
    file.
    """

    kind: Kind
    key: str | None
    line: int | None
    message: str

    @property
    def is_bad(self) -> bool:
        """Whether the file should not be used as it is."""
        return self.kind in _BAD

    def as_text(self, path: Path) -> str:
        """Return the finding as one line."""
        where = f"{path}:{self.line}" if self.line else str(path)
        key = f" {self.key}:" if self.key else ""
        return f"{f'{self.kind}:':11} {where}:{key} {self.message}"


def check_file(path: Path) -> list[Finding]:
    """Return what the file at ``path`` would break or change, what has a line by its line first.

    Raises HomeError if it can't be read, and UsageError for a wrong variable.
    """
    try:
        found = read_config(path)
    except InvalidSettings as error:
        return [Finding("refused", None, error.line, error.reason)]
    entries, problems = Setting.file.check(found, click.Context(start_command))
    wrong = [Finding("refused", each.key, each.line, each.reason) for each in problems]
    home = Home.locate()
    record = pidfile.find_live(home)
    running = None if record is None else _settings_of(record)
    findings = [*wrong, *_refused_together(entries, running)]
    if record is not None and running is None:
        said = f"the running daemon (pid {record.pid}) does not tell its settings"
        findings.append(Finding("unchecked", None, None, said))
    elif record is not None and running is not None:
        unknown = {Setting.file.name_at(each.key) for each in problems}
        new = _values_after(entries, running, unknown)
        findings += _changes(entries, record, running, InUse(home, record, new))
    return sorted(findings, key=lambda each: (each.line is None, each.line or 0))


def _refused_together(
    entries: Mapping[str, Entry], running: Mapping[str, Any] | None
) -> Iterator[Finding]:
    """Yield what a start would refuse although each value alone is valid.

    The start would have the variables of this shell, and the options of the running daemon.
    """
    values = {name: entry.value for name, entry in entries.items()}
    with start_command.make_context("shellwire start", [], default_map=values) as ctx:
        params = {name: value for name, value in ctx.params.items() if name != "daemon"}
    if running is not None:
        params |= {name: running[name] for name in _given(running)}
    try:
        refuse_plaintext(Settings(**params))
    except StartError as error:
        line = entries["host"].line if "host" in entries else None
        yield Finding("refused", "host", line, str(error))


def _settings_of(record: DaemonRecord) -> dict[str, Any] | None:
    """Return the settings in the pid file, without those that this release does not know."""
    if record.settings is None:
        return None
    found: dict[str, Any] = {}
    ctx = click.Context(start_command)
    for setting in SETTINGS:
        name = str(setting.name)
        with contextlib.suppress(click.BadParameter):
            if record.settings.get(name) is not None:
                setting.from_toml(record.settings[name], ctx)
            if name in record.settings:
                found[name] = record.settings[name]
    given = record.settings.get("given")
    found["given"] = [name for name in found if isinstance(given, list) and name in given]
    return found


def _given(running: Mapping[str, Any]) -> list[str]:
    return list(running["given"])


def _values_after(
    entries: Mapping[str, Entry], running: Mapping[str, Any], unknown: Container[str | None]
) -> dict[str, Any]:
    """Return the value that each setting would have, as JSON holds it: lists, no tuples.

    A setting keeps its value if an option or a variable has set it, or if its new one is
    ``unknown`` because the file has a wrong one.
    """
    kept = {name: running[name] for name in running if name in _given(running) or name in unknown}
    written = {name: entry.value for name, entry in entries.items()}
    preset = (written | kept).get("preset")
    values = asdict(Settings()) | PRESETS.get(preset or "", {}) | written
    found: dict[str, Any] = json.loads(json.dumps(values))
    return found | kept


def _changes(
    entries: Mapping[str, Entry], record: DaemonRecord, running: Mapping[str, Any], in_use: InUse
) -> Iterator[Finding]:
    """Yield what would be different for the running daemon."""
    needs_restart = False
    for setting in SETTINGS:
        name = str(setting.name)
        entry = entries.get(name)
        line = None if entry is None else entry.line
        old, new = running.get(name), in_use.new[name]
        if name in _given(running) and entry is not None and not _is_same(entry.value, old):
            said = f"the daemon was started with {setting.opts[0]} or {setting.envvar}"
            yield Finding("overridden", setting.path, line, f"{said}, which override the file")
        if name not in running or old == new:
            continue
        needs_restart = needs_restart or not setting.live
        change = f"{_shown(old)} becomes {_shown(new)}"
        when: Kind = "reload" if setting.live else "restart"
        try:
            loss = in_use.loss(name, old)
        except Unreachable as error:
            yield Finding("unchecked", setting.path, line, f"{change}; {error}")
            continue
        if loss:
            yield Finding("breaks", setting.path, line, f"{change}: {loss}")
        else:
            yield Finding(when, setting.path, line, f"{change} at the next {when}")
    if needs_restart:
        yield from _cost_of_restart(record, in_use)


def _cost_of_restart(record: DaemonRecord, in_use: InUse) -> Iterator[Finding]:
    try:
        count = len(in_use.live_jobs)
    except Unreachable as error:
        yield Finding("unchecked", None, None, str(error))
        return
    if count:
        said = f"a restart of the daemon (pid {record.pid}) ends {count} of its jobs"
        yield Finding("restart", None, None, said)


def _is_same(value: Any, in_json: Any) -> bool:
    return bool((list(value) if isinstance(value, tuple) else value) == in_json)


def _shown(value: Any) -> str:
    return "not set" if value is None else as_toml(value)
