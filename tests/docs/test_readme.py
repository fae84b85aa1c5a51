"""What the README lists is what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from shellwire.cli import main
from shellwire.cli.start import run_command, start_command
from shellwire.home.paths import Home
from tests.docs.document import ROOT, Document, code

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

README = Document("README.md")


# Lists -------------------------------------------------------------------------------------------


def shown_default(option: click.Option) -> str:
    """Return how the table shows an option's default."""
    if option.multiple:
        return "none"
    if isinstance(option.default, bool):
        return "on" if option.default else "off"
    return "not set" if option.default is None else f"`{option.default}`"


def unit_of(option: click.Option) -> str:
    """Return the unit that the option's help begins with."""
    word = (option.help or "").split()[0].lower()
    return word if word in ("seconds", "bytes") else ""


def test_the_options_of_start() -> None:
    (table,) = README.section("Options of start").tables
    documented = [
        (code(row["option"]), code(row["variable"]), row["default"], row["unit"]) for row in table
    ]
    options = [each for each in start_command.params if isinstance(each, click.Option)]
    assert documented == [
        (each.opts[0], each.envvar, shown_default(each), unit_of(each)) for each in options
    ]


def test_run_takes_them_too_but_daemon() -> None:
    names = [each.name for each in start_command.params]
    assert sorted(each.name or "" for each in run_command.params) == sorted(
        name for name in names if name and name not in ("daemon", "detached")
    )


def commands(group: click.Group, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}"


def test_the_commands() -> None:
    table, exits = README.section("Commands").tables
    assert {code(row["command"]) for row in table} == set(commands(main, "shellwire"))
    assert [row["exit code"] for row in exits] == ["0", "1", "2", "3"]


def test_the_files(tmp_path: Path) -> None:
    home = Home(tmp_path)
    files = {getattr(home, name).name for name in vars(Home) if name.endswith("_file")}
    assert {code(row["file"]) for row in README.section("Files").table()} == files


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "PROTOCOL.md"])
def test_links_and_lines(name: str) -> None:
    document = Document(name)
    for target in document.links():
        assert (ROOT / target).exists(), target
    for line in document.text.splitlines():
        assert line == line.rstrip()
        assert len(line) <= 100 or line.startswith(("|", "<", ">", "{", " ")), line
