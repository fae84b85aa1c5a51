"""Print lines for the user, with control characters escaped.

Messages of a daemon, file names and what a user typed may hold escape sequences, which a terminal
would obey. Such text is printed by this module only. A job's output is not: it is written byte for
byte (``pipes.py``), as if the job ran on this terminal.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from shellwire.cli.status_line import status_line
from shellwire.output import printable


def print_line(text: str, *, err: bool = False) -> None:
    """Print one line, to stderr if ``err``, with unprintable characters escaped."""
    status_line.erase()
    click.echo(printable(text), err=err)


def print_amid_output(text: str) -> None:
    """Print one line to stderr between a job's output; the terminal may be in raw mode."""
    is_raw = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
    text = printable(text)
    status_line.erase()
    click.echo(f"\r\n{text}\r" if is_raw else text, err=True)


def print_json(value: Any) -> None:
    """Print a value as indented JSON, in ASCII only."""
    click.echo(json.dumps(value, indent=2))
