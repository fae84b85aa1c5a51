"""The commands of shellwire, and those that a page shows: in blocks of shell and in backticks."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import click

from shellwire.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.docs.document import Document

_PROGRAMS = ("shellwire", "sw", "./run.sh")
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


def every_command(
    group: click.Group = main, path: str = "shellwire"
) -> Iterator[tuple[str, click.Command]]:
    """Yield each command that does something, with its words."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from every_command(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def shown_in(page: Document) -> list[list[str]]:
    """Return the words of every command of shellwire that a page shows."""
    lines = [
        line.removeprefix("$ ")
        for block in page.blocks
        if block.kind in ("sh", "console")
        for line in block.text.splitlines()
        if block.kind == "sh" or line.startswith("$ ")
    ]
    prose = re.sub(r"^```.*?^```$", "", page.text, flags=re.DOTALL | re.MULTILINE)
    lines += [each for each in _CODE.findall(prose) if each.startswith(_PROGRAMS)]
    return [words for line in lines for words in _commands(line)]


def _commands(line: str) -> Iterator[list[str]]:
    """Yield the commands of one line of shell that call shellwire."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.commenters = "#"
    words: list[str] = []
    for token in [*lexer, ";"]:
        if not set(token) <= set("();<>|&"):
            words.append(token)
            continue
        if words and words[0] in _PROGRAMS and words[1:2] != ["--setup"]:  # that is run.sh's own
            yield words[1:]
        words = []


def check(words: list[str]) -> None:
    """Parse a command's options and count its arguments, without running it.

    Raises click.UsageError.
    """
    command: click.Command = main
    ctx = click.Context(main, info_name="shellwire")
    words = list(words)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        found = command.get_command(ctx, name)
        if found is None:
            raise click.UsageError(f"no command {name}")
        command, ctx = found, click.Context(found, parent=ctx, info_name=name)
    command.make_parser(ctx).parse_args(args=words)
