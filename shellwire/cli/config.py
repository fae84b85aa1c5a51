"""``shellwire config``: what each setting is, and why."""

from __future__ import annotations

import json
from typing import Any

import click
from click.core import ParameterSource

from shellwire.cli.options import file_entry, warn_of_unknown_variables
from shellwire.cli.say import say, say_json
from shellwire.cli.start import start_command
from shellwire.home.paths import Home
from shellwire.output import printable


@click.group("config")
def config_group() -> None:
    """Show the settings that the next start would have."""


@config_group.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show_command(as_json: bool) -> None:
    """Print each setting's value, and where it came from, in the form of a settings file.

    It is what `shellwire start` without flags would take: a variable beats the file, and that the
    default.
    """
    found = _settings()
    warn_of_unknown_variables()
    if as_json:
        say_json(found)
        return
    path = Home.locate().config_file
    say(f"# {path}{'' if path.exists() else ' (there is none)'}")
    lines = [(_statement(name, each["value"]), each["where"]) for name, each in found.items()]
    width = max(len(statement) for statement, _ in lines)
    for statement, where in lines:
        say(f"{statement:{width}}  # {where or 'default'}")


def _settings() -> dict[str, dict[str, Any]]:
    """Return ``{value, source, where}`` of each by name, as ``start`` itself finds them."""
    with start_command.make_context("shellwire start", []) as ctx:
        return {name: {"value": value, **_origin(ctx, name)} for name, value in ctx.params.items()}


def _origin(ctx: click.Context, name: str) -> dict[str, str | None]:
    source = ctx.get_parameter_source(name)
    if source is ParameterSource.ENVIRONMENT:
        return {"source": "environment", "where": f"SHELLWIRE_{name.upper()}"}
    if source is ParameterSource.DEFAULT_MAP:
        where = f"{Home.locate().config_file}:{file_entry(ctx, name).line}"
        return {"source": "file", "where": where}
    return {"source": "default", "where": None}


def _statement(name: str, value: Any) -> str:
    if value is None:
        return f"# {name} is not set"
    # A JSON string is a TOML string, and so on for what settings can be.
    return f"{name} = {printable(json.dumps(value, ensure_ascii=False))}"
