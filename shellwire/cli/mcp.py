"""``shellwire mcp``."""

from __future__ import annotations

import sys

import click

from shellwire.cli.errors import Failure, called_as
from shellwire.cli.remote import TROUBLE, host_option, place_of
from shellwire.errors import InvalidUrl, MissingExtra


@click.command("mcp")
@host_option
def mcp_command(host: str | None) -> None:
    """Serve agents by the Model Context Protocol on stdin and stdout.

    An agent starts this by itself; README.md, From an AI agent, shows how to tell it. If it is to
    be the local daemon and none runs, that is started, and left running.
    """
    import asyncio
    from importlib.util import find_spec

    if find_spec("mcp") is None or find_spec("mcp_types") is None:  # release 1 has no mcp_types
        raise MissingExtra(f"`{called_as()} mcp` needs the extra mcp: {_how_to_install()}")
    from shellwire.agents.server import serve

    try:
        place = place_of(host)
    except InvalidUrl as error:
        raise Failure(str(error), TROUBLE) from error
    if sys.stdin is not None and sys.stdin.isatty():
        click.echo("This waits for an agent on stdin; Ctrl-C ends it.", err=True)
    asyncio.run(serve(place))


def _how_to_install() -> str:
    words = called_as()
    if words.endswith("run.sh"):
        return f"`{words} --setup mcp` installs it"
    return "`pip install 'shellwire[mcp]'` installs it"
