"""``shellwire version``: print the version."""

from __future__ import annotations

import click

from shellwire import __version__


@click.command("version")
def version_command() -> None:
    """Print the version.

    \b
    Example:
      shellwire version
    """
    click.echo(f"shellwire {__version__}")
