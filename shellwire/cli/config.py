"""``shellwire config``: show each setting and where it comes from."""

from __future__ import annotations

import json
from typing import Any

import click
from click.core import ParameterSource

from shellwire.cli.options import file_entry, warn_of_unknown_variables
from shellwire.cli.presets import is_preset
from shellwire.cli.printing import print_json, print_line
from shellwire.cli.start import start_command
from shellwire.home.paths import Home
from shellwire.output import printable


@click.group("config")
def config_group() -> None:
    """Show the settings of the next start.

    \b
    Example:
      shellwire config show
    """


@config_group.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show_command(as_json: bool) -> None:
    """Print each setting and where its value comes from.

    The output is a valid config.toml. It shows what `shellwire start` would use without options: a
    variable overrides the file, the file overrides the default.

    \b
    Example:
      shellwire config show
    """
    found = _settings()
    warn_of_unknown_variables()
    if as_json:
        print_json(found)
        return
    path = Home.locate().config_file
    print_line(f"# {path}{'' if path.exists() else ' (does not exist)'}")
    lines = [(_statement(name, each["value"]), each["where"]) for name, each in found.items()]
    width = max(len(statement) for statement, _ in lines)
    for statement, where in lines:
        print_line(f"{statement:{width}}  # {where or 'default'}")


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


def _statement(name: str, value: Any) -> str:
    if value is None:
        return f"# {name} is not set"
    # For the types of settings, JSON literals are valid TOML.
    return f"{name} = {printable(json.dumps(value, ensure_ascii=False))}"
