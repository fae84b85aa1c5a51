"""``shellwire mcp``: start the MCP server."""

from __future__ import annotations

import sys

import click

from shellwire.cli.errors import Failure, called_as
from shellwire.cli.remote import EXIT_UNAVAILABLE, endpoint_of, host_option
from shellwire.errors import InvalidUrl, MissingExtra


@click.command("mcp")
@host_option
def mcp_command(host: str | None) -> None:
    """Serve an AI agent on stdin and stdout (MCP).

    The agent starts this command itself; docs/agents.md shows how to configure each agent. If no
    local daemon runs, one is started and left running.

    \b
    Example:
      claude mcp add shellwire -- shellwire mcp
    """
    import asyncio
    from importlib.util import find_spec

    if find_spec("mcp") is None or find_spec("mcp_types") is None:  # release 1 has no mcp_types
        raise MissingExtra(f"`{called_as()} mcp` needs the extra mcp: {_how_to_install()}")
    from shellwire.agents.server import serve

    try:
        endpoint = endpoint_of(host)
    except InvalidUrl as error:
        raise Failure(str(error), EXIT_UNAVAILABLE) from error
    if sys.stdin is not None and sys.stdin.isatty():
        click.echo("Waiting for an agent on stdin; Ctrl-C ends this.", err=True)
    asyncio.run(serve(endpoint))


def _how_to_install() -> str:
    words = called_as()
    if words.endswith("run.sh"):
        return f"`{words} --setup mcp` installs it"
    return "`pip install '.[mcp]'` in a checkout installs it"
