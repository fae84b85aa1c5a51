"""The command line: one file a noun; each parses, calls, prints."""

from __future__ import annotations

import click

from shellwire import __version__
from shellwire.cli.clients import clients_group
from shellwire.cli.completion import completion_command
from shellwire.cli.config import config_group
from shellwire.cli.program import Program
from shellwire.cli.start import run_command, start_command
from shellwire.cli.status import status_command
from shellwire.cli.stop import stop_command
from shellwire.cli.token import token_group
from shellwire.cli.version import version_command

__all__ = ["main"]


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="shellwire", message="%(prog)s %(version)s")
def main() -> None:
    """A daemon that gives any WebSocket client a real shell on this machine.

    What it keeps is in ~/.shellwire, or in the directory that SHELLWIRE_HOME names.

    Exit codes: 0 done, 1 not done (one line says why), 2 bad options, 3 not running (status).
    """


for command in (
    start_command,
    run_command,
    stop_command,
    status_command,
    token_group,
    clients_group,
    config_group,
    completion_command,
    version_command,
):
    main.add_command(command)
