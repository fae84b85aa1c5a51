"""The tables in docs/ list what the code has: commands, options, settings, files, methods."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

import click
import pytest

from shellwire.cli import main
from shellwire.cli.config import check_command
from shellwire.cli.config_check import Kind
from shellwire.cli.options import ALL_SETTINGS, SUBJECTS
from shellwire.cli.start import run_command, start_command
from shellwire.client import Client, Context, Job, Result
from shellwire.client.options import CommandOptions, ShellOptions
from shellwire.home.paths import Home
from tests.docs.document import MANUAL, Document, code
from tests.docs.shown import every_command

if TYPE_CHECKING:
    from pathlib import Path

CLI = Document("docs/cli.md")
CONFIGURATION = Document("docs/configuration.md")
PYTHON = Document("docs/python.md")

# Options of other programs, which the pages show.
_FOREIGN = {"--bg", "--force", "--help", "--help-all", "--version", "--readme", "--setup"}


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
    sections = CONFIGURATION.below("Options of start")
    assert [section.title for section in sections] == [subject.title for subject in SUBJECTS]
    assert set(start_command.params) == set(ALL_SETTINGS)
    for section, subject in zip(sections, SUBJECTS, strict=True):
        assert [
            (code(row["option"]), code(row["variable"]), row["default"], row["unit"])
            for row in section.table()
        ] == [
            (each.opts[0], each.envvar, shown_default(each), unit_of(each))
            for each in ALL_SETTINGS
            if each.subject is subject
        ]
        assert (f"`[{subject.table}]`" in section.text) == bool(subject.table)


def test_the_options_about_security() -> None:
    text = CONFIGURATION.section("Options about security").text.partition(":")[2].partition(".")[0]
    named = re.findall(r"`(--[\w-]+)`", text)
    assert named == [each.opts[0] for each in ALL_SETTINGS if each.security]


def test_the_findings_of_config_check() -> None:
    (table,) = CONFIGURATION.section("Check a changed file").tables
    kinds = [code(row["finding"]) for row in table]
    assert kinds == list(get_args(Kind))
    assert all(f"  {kind} " in (check_command.help or "") for kind in kinds)


def test_run_takes_the_same_options_except_daemon() -> None:
    names = [each.name for each in start_command.params]
    assert sorted(each.name or "" for each in run_command.params) == sorted(
        name for name in names if name and name not in ("daemon", "detached")
    )


def test_the_commands() -> None:
    table = CLI.section("Commands").table()
    assert {code(row["command"]) for row in table} == {name for name, _ in every_command()}


def test_the_exit_codes() -> None:
    table = CLI.section("Exit codes").table()
    assert [row["exit code"] for row in table] == ["0", "1", "2", "3", "124", "130", "255"]


OPTIONS = [
    (name, option)
    for name, command in every_command()
    if command not in (start_command, run_command)
    for param in command.params
    if isinstance(param, click.Option)
    for option in param.opts
]


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_every_option_is_explained(command: str, option: str) -> None:
    text = CLI.text + Document("docs/files.md").text
    assert re.search(rf"`[^`]*(?<![\w-]){option}(?![\w-])[^`]*`", text), f"{command} {option}"


@pytest.mark.parametrize("name", MANUAL)
def test_no_option_is_made_up(name: str) -> None:
    known = {
        option
        for _, command in every_command()
        for param in command.params
        for option in (*param.opts, *param.secondary_opts)
    }
    shown = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", Document(name).text))
    assert shown <= known | _FOREIGN


def test_the_exec_table() -> None:
    rows = CLI.section("Run a command: exec").table()
    shown = {each for row in rows for each in re.findall(r"-{1,2}[\w-]+", row["option of `exec`"])}
    assert shown == {option for param in main.commands["exec"].params for option in param.opts} - {
        "words"
    }


def test_the_files(tmp_path: Path) -> None:
    home = Home(tmp_path)
    files = {getattr(home, name).name for name in vars(Home) if name.endswith("_file")}
    assert {code(row["file"]) for row in CONFIGURATION.section("Files").table()} == files


def names_in(cells: list[str]) -> set[str]:
    return {name for cell in cells for name in re.findall(r"`(\w+)", cell)}


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def test_the_methods_of_python() -> None:
    of_client, of_job = PYTHON.section("Methods").tables
    client = names_in([row["method"] for row in of_client])
    assert client <= public(Client)
    for kept in ("run", "stream", "shell", "start", "attach", "jobs", "read_output", "upload"):
        assert kept in client
    assert names_in([row["method"] for row in of_job]) <= public(Job)
    (context,) = [row["does"] for row in of_client if "context" in row["method"]]
    assert names_in([context]) <= public(Context)


def test_the_options_of_python() -> None:
    rows = PYTHON.section("Options of a command").table()
    everywhere = names_in([row["option"] for row in rows if row["for"] == "all"])
    commands = names_in([row["option"] for row in rows if row["for"] != "all"])
    assert everywhere == ShellOptions.__annotations__.keys()
    assert everywhere | commands == CommandOptions.__annotations__.keys()


def test_the_fields_of_a_result() -> None:
    named = names_in([PYTHON.section("Results").text])
    assert "committed" in named
    assert named <= public(Result)


def test_the_commands_for_other_hosts() -> None:
    text = CLI.section("Other machines: login and -H").text.partition("makes each")[2]
    named = set(re.findall(r"`([a-z ]+)`", text.partition(". `cp`")[0]))
    assert named == {
        path.removeprefix("shellwire ")
        for path, command in every_command()
        if any("-H" in each.opts for each in command.params)
    }
