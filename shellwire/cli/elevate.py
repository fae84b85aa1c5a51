"""``shellwire elevate``: break-glass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shellwire.cli.param_types import Duration
from shellwire.cli.printing import print_line
from shellwire.cli.remote import host_option, run_with_client
from shellwire.cli.table import local_time

if TYPE_CHECKING:
    from shellwire.client import Client
    from shellwire.client.results import Message


@click.command("elevate")
@host_option
@click.option("--reason", required=True, help="Why: 8 to 200 characters, logged and announced.")
@click.option(
    "--ttl", type=Duration(), help="How long, as 10m. Default: 30m, or what you may if it is less."
)
def elevate_command(host: str | None, reason: str, ttl: float | None) -> None:
    """Raise your credential to a higher role for a while.

    For emergencies. The credential must have been created with `token create --may-elevate`. Until
    the time is over, every connection with this credential has the higher role. The daemon logs it
    and tells its owner and all connected admins.

    \b
    Example:
      shellwire elevate -H box --reason "INC-123: disk full" --ttl 30m
    """

    async def ask(client: Client) -> Message:
        return await client.request("elevate", reason=reason, ttl_seconds=ttl)

    answer = run_with_client(host, ask)
    print_line(f"elevated to {answer['role']} until {local_time(answer['expires_at'])}")
