"""``shellwire token``: show it, replace it."""

from __future__ import annotations

import click

from shellwire.cli.control import tell_to_reload
from shellwire.cli.errors import called_as
from shellwire.cli.say import say
from shellwire.errors import HomeError
from shellwire.home.paths import Home
from shellwire.home.token import read_token, rotate_token, token_origin


@click.group("token", invoke_without_command=True)
@click.pass_context
def token_group(ctx: click.Context) -> None:
    """Show the token that clients authenticate with, or replace it."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(show_command)


@token_group.command("show")
def show_command() -> None:
    """Print the token (as `shellwire token` alone does)."""
    home = Home.locate()
    token = read_token(home)
    if token is None:
        raise HomeError(_what_is_missing(home))
    say(token)


@token_group.command("rotate")
def rotate_command() -> None:
    """Replace the token, print the new one, and end the connections made with the old one."""
    home = Home.locate()
    token = rotate_token(home)
    try:
        tell_to_reload(home)
    finally:  # it holds whether the daemon could be told or not
        say(token)


def _what_is_missing(home: Home) -> str:
    if token_origin(home) == "created":
        return f"no token in {home.token_file} yet: `{called_as()} start` makes one"
    return (
        f"{home.token_file} is malformed, it holds no 64 hexadecimal digits:"
        f" `{called_as()} token rotate` makes a new token, and so does the next start"
    )
