"""``shellwire version``."""

from __future__ import annotations

import click

from shellwire import __version__


@click.command("version")
def version_command() -> None:
    """Print the version."""
    click.echo(f"shellwire {__version__}")
