"""The help of every command: a short summary, shown whole, and an example that parses."""

from __future__ import annotations

import re
import shlex
from itertools import takewhile
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from shellwire.cli import main
from shellwire.cli.errors import Program

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_SUMMARY = 60
WIDTH = 80


def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the path of a command and of all below it."""
    yield path
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from walk(each, (*path, name))


PATHS = list(walk(main, ()))


def find(path: tuple[str, ...]) -> click.Command:
    """Return the command at a path."""
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    return command


def help_of(path: tuple[str, ...], flag: str = "--help") -> str:
    """Return the help of a command on a terminal of 80 columns."""
    done = CliRunner().invoke(
        main, [*path, flag], prog_name="shellwire", terminal_width=WIDTH, env={"COLUMNS": "80"}
    )
    assert done.exit_code == 0
    return done.output


def summary_of(path: tuple[str, ...]) -> str:
    """Return the first line of a command's help."""
    paragraph = (find(path).help or "").split("\n\n")[0]
    return " ".join(paragraph.split())


def examples_of(path: tuple[str, ...]) -> list[list[str]]:
    """Return the words of each example behind the program's name."""
    _, _, rest = help_of(path).partition("\n  Example:\n")
    found = []
    for line in rest.partition("\n\n")[0].splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
        last = len(words) - words[::-1].index("shellwire")
        found.append(list(takewhile(lambda word: word not in ("|", ")"), words[last:])))
    return found


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_a_summary_is_short_and_shown_whole(path: tuple[str, ...]) -> None:
    summary = summary_of(path)
    assert re.fullmatch(r"[A-Z][^.…]*\.", summary), summary
    assert len(summary) <= MAX_SUMMARY, summary
    if path:
        row = rf"^  {re.escape(path[-1])} +{re.escape(summary)}$"
        assert re.search(row, help_of(path[:-1]), re.MULTILINE)


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_each_command_has_an_example_that_parses(path: tuple[str, ...]) -> None:
    examples = examples_of(path)
    assert examples
    for words in examples:
        command: click.Command = main
        shown: tuple[str, ...] = ()
        while isinstance(command, click.Group) and words:
            shown = (*shown, words[0])
            command = command.commands[words.pop(0)]
        assert shown[: len(path)] == path, "an example of this command"
        context = click.Context(command, **command.context_settings)
        _, left, _ = command.make_parser(context).parse_args(words)
        assert left == []


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_no_line_is_too_long(path: tuple[str, ...]) -> None:
    for line in help_of(path).splitlines():
        assert len(line) <= WIDTH, line


@pytest.mark.parametrize(("command", "everyday"), [("start", 20), ("run", 19)])
def test_everyday_options_and_all(command: str, everyday: int) -> None:
    shown = re.findall(r"^  (?:-\w, )?(--[\w-]+)", help_of((command,)), re.MULTILINE)
    everything = help_of((command,), "--help-all")
    of_all = re.findall(r"^  (?:-\w, )?(--[\w-]+)", everything, re.MULTILINE)
    assert len(set(shown) - {"--help", "--help-all"}) == everyday
    named = {each.opts[0] for each in find((command,)).params}
    assert set(of_all) == named | {"--help", "--help-all"}
    assert f"{len(of_all) - len(shown)} more options" in help_of((command,))
    titles = ["Daemon", "Connections", "Commands and shells", "Limits, [limits] in config.toml"]
    others = "Limits of each other principal, [principal] in config.toml"
    for text, more in ((everything, [others]), (help_of((command,)), [])):
        found = re.findall(r"^(\w.*):$", text, re.MULTILINE)
        assert found == [*titles, *more, "Other options"]
    assert max(map(len, everything.splitlines())) <= WIDTH


def test_the_program_is_a_group() -> None:
    assert isinstance(main, Program)
    assert len(PATHS) > 25
