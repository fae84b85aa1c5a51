"""``shellwire token``: the owner's token, and tokens for others."""

from __future__ import annotations

import click

from shellwire.cli.control import reload_daemon
from shellwire.cli.errors import called_as
from shellwire.cli.given_tokens import create_command, list_command, revoke_command
from shellwire.cli.printing import print_line
from shellwire.errors import HomeError
from shellwire.home.paths import Home
from shellwire.home.token import read_token, rotate_token, token_origin


@click.group("token", invoke_without_command=True)
@click.pass_context
def token_group(ctx: click.Context) -> None:
    """Show or replace your token, and give others their own.

    Clients authenticate with a token. Yours makes a client the owner, who may do everything;
    `create` makes tokens for others, each with a role. Without a subcommand your token is printed.

    \b
    Example:
      shellwire token
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(show_command)


@token_group.command("show")
def show_command() -> None:
    """Print the token.

    \b
    Example:
      shellwire token show
    """
    home = Home.locate()
    token = read_token(home)
    if token is None:
        raise HomeError(_no_token(home))
    print_line(token)


@token_group.command("rotate")
def rotate_command() -> None:
    """Replace the token and print the new one.

    A running daemon closes the connections that were made with the old token. Jobs keep running.

    \b
    Example:
      shellwire token rotate
    """
    home = Home.locate()
    token = rotate_token(home)
    try:
        reload_daemon(home)
    finally:  # the new token is valid even if the daemon could not be reached
        print_line(token)


for _command in (create_command, list_command, revoke_command):
    token_group.add_command(_command)


def _no_token(home: Home) -> str:
    if token_origin(home) == "created":
        return f"no token in {home.token_file} yet: `{called_as()} start` creates one"
    return (
        f"{home.token_file} is malformed: it must hold 64 hexadecimal digits;"
        f" `{called_as()} token rotate` or the next start creates a new token"
    )
