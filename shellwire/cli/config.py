"""``shellwire config``: show each setting and where it comes from, and check a changed file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from shellwire.cli.config_check import check_file
from shellwire.cli.errors import Failure
from shellwire.cli.options import ALL_SETTINGS, unknown_variables
from shellwire.cli.presets import is_preset
from shellwire.cli.printing import print_json, print_line
from shellwire.cli.setting import file_entry
from shellwire.cli.settings_file import as_toml
from shellwire.cli.start import start_command
from shellwire.home.paths import Home
from shellwire.output import printable


@click.group("config")
def config_group() -> None:
    """Show the settings of the next start, and check a file.

    \b
    Example:
      shellwire config show
    """


@config_group.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show_command(as_json: bool) -> None:
    """Print each setting and where its value comes from.

    The output is a valid config.toml. It shows what `shellwire start` would use without options: a
    variable overrides the file, the file overrides the preset, the preset overrides the default.

    \b
    Example:
      shellwire config show
    """
    found = _settings()
    for line in unknown_variables():
        print_line(f"Warning: {line}", err=True)
    if as_json:
        print_json(found)
        return
    path = Home.locate().config_file
    print_line(f"# {path}{'' if path.exists() else ' (does not exist)'}")
    tables: dict[str, list[tuple[str, str]]] = {"": []}
    for setting in ALL_SETTINGS:
        if setting.name in found:
            each = found[setting.name]
            statement = _statement(setting.key, each["value"])
            rows = tables.setdefault(setting.subject.table, [])
            rows.append((statement, each["where"] or "default"))
    width = max(len(statement) for rows in tables.values() for statement, _ in rows)
    for table, rows in tables.items():
        if table:
            print_line("")
            print_line(f"[{table}]")
        for statement, where in rows:
            print_line(f"{statement:{width}}  # {where}")


@config_group.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check_command(file: Path, as_json: bool) -> None:
    """Show what a settings file would break or change.

    FILE is a config.toml, in place or not yet. It is compared with the running daemon, if one runs.
    One line for each finding:

    \b
      refused     no daemon would start with it
      breaks      it takes away what a client or a job uses now
      restart     it takes effect when the daemon is restarted
      reload      it takes effect when the daemon reloads its files
      overridden  it has no effect: the daemon was started with an option or
                  a variable for this setting
      unchecked   it could not be compared with the running daemon

    \b
    Example:
      shellwire config check new.toml

    \b
    Exit codes:
      0  nothing is refused, breaks or is unchecked
      1  something is
      2  wrong options, or a wrong variable
    """
    findings = check_file(file)
    bad = [each.kind for each in findings if each.is_bad]
    if as_json:
        listed = [each._asdict() for each in findings]
        print_json({"file": str(file), "ok": not bad, "findings": listed})
    else:
        for each in findings:
            print_line(each.as_text(file))
        if not findings:
            print_line(f"{file} changes nothing that is in use")
    if bad:
        counted = ", ".join(f"{bad.count(kind)} {kind}" for kind in dict.fromkeys(bad))
        raise Failure(f"{file}: {counted}", 1)


def _settings() -> dict[str, dict[str, Any]]:
    """Return ``{value, source, where}`` of each setting, found the way ``start`` finds them."""
    with start_command.make_context("shellwire start", []) as ctx:
        return {name: {"value": value, **_origin(ctx, name)} for name, value in ctx.params.items()}


def _origin(ctx: click.Context, name: str) -> dict[str, str | None]:
    source = ctx.get_parameter_source(name)
    if source is ParameterSource.ENVIRONMENT:
        return {"source": "environment", "where": f"SHELLWIRE_{name.upper()}"}
    if source is ParameterSource.DEFAULT_MAP:
        where = f"{Home.locate().config_file}:{file_entry(ctx, name).line}"
        return {"source": "file", "where": where}
    if is_preset(ctx, name):
        return {"source": "preset", "where": f"preset {ctx.params['preset']}"}
    return {"source": "default", "where": None}


def _statement(key: str, value: Any) -> str:
    return f"# {key} is not set" if value is None else f"{key} = {printable(as_toml(value))}"
