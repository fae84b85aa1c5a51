"""Printing lines for the user: the only place of the command line that prints text from elsewhere.

A daemon's messages, names of files and what a user typed may hold escape sequences. A terminal
would obey them, so no such text reaches it unescaped. A job's output is not printed here: it goes
through byte for byte (``pipes.py``), as it would if the job ran in this terminal.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from shellwire.output import printable


def say(text: str, *, err: bool = False) -> None:
    """Print one line, to stderr if ``err``; what does not print in it is escaped."""
    click.echo(printable(text), err=err)


def say_amid_output(text: str) -> None:
    """As ``say`` to stderr, amid what a job writes; our terminal may be raw."""
    is_raw = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
    text = printable(text)
    click.echo(f"\r\n{text}\r" if is_raw else text, err=True)


def say_json(value: Any) -> None:
    """Print a value as JSON, on several lines; only ASCII, the rest is escaped by JSON's rules."""
    click.echo(json.dumps(value, indent=2))
