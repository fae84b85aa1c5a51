"""``shellwire clients``: list, revoke, restore and kick clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.types import StringParamType

from shellwire.cli.control import list_clients, reload_daemon
from shellwire.cli.param_types import Duration
from shellwire.cli.printing import print_json, print_line
from shellwire.cli.remote import host_option, run_with_client
from shellwire.cli.table import local_time, print_table
from shellwire.errors import ShellwireError
from shellwire.home import pidfile
from shellwire.home.clients import Clients
from shellwire.home.paths import Home
from shellwire.principals import OWNER
from shellwire.protocol.limits import MAX_ID_LENGTH

if TYPE_CHECKING:
    from shellwire.client import Client

_COLUMNS = ("CLIENT", "PRINCIPAL", "STATE", "FIRST SEEN", "LAST SEEN")


class ClientId(StringParamType):
    """A client_id that the protocol allows."""

    name = "client_id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an impossible client_id."""
        if not 1 <= len(value) <= MAX_ID_LENGTH:
            self.fail(f"a client_id has 1 to {MAX_ID_LENGTH} characters.", param, ctx)
        if any(0xD800 <= ord(character) <= 0xDFFF for character in value):
            self.fail("a client_id must be valid UTF-8.", param, ctx)
        return value


_client_id = click.argument("client_id", type=ClientId())
_principal = click.option(
    "--principal", default=OWNER, show_default=True, help="The principal that it belongs to."
)


@click.group("clients")
def clients_group() -> None:
    """List, revoke, restore and kick the daemon's clients.

    All but kick also work while the daemon is stopped.

    \b
    Example:
      shellwire clients list
    """


@clients_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of objects.")
def list_command(as_json: bool) -> None:
    """List the clients that connected or are revoked.

    In JSON a client of a principal other than the owner has `principal`.

    \b
    Example:
      shellwire clients list --json
    """
    home = Home.locate()
    clients = _from_file(home) if pidfile.find_live(home) is None else list_clients(home)
    if as_json:
        # Without tokens of others the JSON is the same as in earlier versions.
        print_json([_without_owner(client) for client in clients])
    elif clients:
        rows = [_COLUMNS, *(_row(client) for client in clients)]
        if all(client["principal"] == OWNER for client in clients):
            rows = [(row[0], *row[2:]) for row in rows]
        print_table(rows)
    else:
        click.echo("no clients yet")


@clients_group.command("revoke")
@_client_id
@_principal
def revoke_command(client_id: str, principal: str) -> None:
    """Refuse a client from now on and close its connection.

    CLIENT_ID need not have connected before.

    \b
    Example:
      shellwire clients revoke phone
    """
    home = Home.locate()
    Clients.load(home).revoke(client_id, principal)
    _apply(home, f"revoked client {client_id}")


@clients_group.command("kick")
@host_option
@_client_id
@click.option("--principal", help="The principal that it belongs to; default: your own.")
@click.option("--for", "bar", type=Duration(), help="Keep it out for this long, as 10m.")
@click.option("--end-jobs", is_flag=True, help="End its jobs too.")
@click.option("--reason", required=True, help="Why: up to 200 characters; the client is told.")
def kick_command(
    host: str | None,
    client_id: str,
    principal: str | None,
    bar: float | None,
    end_jobs: bool,
    reason: str,
) -> None:
    """Close a client's connection and tell it why.

    It does not reconnect by itself. With --for it can't connect again for that long; `restore`
    ends this early. The Unix socket is never closed to you by this.

    
    Example:
      shellwire clients kick phone --for 10m --reason "floods the queue"
    """
    request = {
        "client_id": client_id,
        "principal": principal,
        "reason": reason,
        "bar_seconds": bar or 0,
        "end_jobs": end_jobs,
    }

    async def kick(client: Client) -> None:
        await client.request("kick_client", **request)

    run_with_client(host, kick)
    print_line(f"kicked client {client_id}")


@clients_group.command("restore")
@_client_id
@_principal
def restore_command(client_id: str, principal: str) -> None:
    """Let a revoked or barred client connect again.

    \b
    Example:
      shellwire clients restore phone
    """
    home = Home.locate()
    if not Clients.load(home).restore(client_id, principal):
        raise ShellwireError(f"client {client_id} is not revoked or barred")
    _apply(home, f"restored client {client_id}")


def _apply(home: Home, message: str) -> None:
    # The daemon first: the change must take effect even if printing fails.
    try:
        reload_daemon(home)
    finally:
        print_line(message)


def _from_file(home: Home) -> list[dict[str, Any]]:
    return [{**record.as_dict(), "is_connected": False} for record in Clients.load(home).records()]


def _without_owner(client: dict[str, Any]) -> dict[str, Any]:
    is_owners = client["principal"] == OWNER
    return {name: each for name, each in client.items() if name != "principal" or not is_owners}


def _row(client: dict[str, Any]) -> tuple[str, ...]:
    if client["is_revoked"]:
        state = "revoked"
    elif "barred_until" in client:
        state = f"barred until {local_time(client['barred_until'])}"
    else:
        state = "connected" if client["is_connected"] else "-"
    return (
        client["client_id"],
        client["principal"],
        state,
        local_time(client["first_seen"]),
        local_time(client["last_seen"]),
    )
