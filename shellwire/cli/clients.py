"""``shellwire clients``: list, revoke, restore."""

from __future__ import annotations

from typing import Any

import click
from click.types import StringParamType

from shellwire.cli.control import list_clients, tell_to_reload
from shellwire.cli.say import say, say_json
from shellwire.cli.table import local_time, print_table
from shellwire.errors import ShellwireError
from shellwire.home import pidfile
from shellwire.home.clients import Clients
from shellwire.home.paths import Home
from shellwire.protocol.limits import MAX_ID_LENGTH

_COLUMNS = ("CLIENT", "STATE", "FIRST SEEN", "LAST SEEN")


class ClientId(StringParamType):
    """A client_id, as the protocol has it."""

    name = "client_id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what no client can have."""
        if not 1 <= len(value) <= MAX_ID_LENGTH:
            self.fail(f"a client_id has 1 to {MAX_ID_LENGTH} characters.", param, ctx)
        if any(0xD800 <= ord(character) <= 0xDFFF for character in value):
            self.fail("a client_id is UTF-8.", param, ctx)
        return value


_client_id = click.argument("client_id", type=ClientId())


@click.group("clients")
def clients_group() -> None:
    """List the known clients, or decide which of them may connect."""


@clients_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of objects.")
def list_command(as_json: bool) -> None:
    """List the clients that have connected or are revoked."""
    home = Home.locate()
    clients = _from_file(home) if pidfile.find_live(home) is None else list_clients(home)
    if as_json:
        say_json(clients)
    elif clients:
        print_table([_COLUMNS, *(_row(client) for client in clients)])
    else:
        click.echo("no client is known yet")


@clients_group.command("revoke")
@_client_id
def revoke_command(client_id: str) -> None:
    """Refuse CLIENT_ID from now on, seen before or not, and end its connection."""
    home = Home.locate()
    Clients.load(home).revoke(client_id)
    _tell(home, f"revoked {client_id}")


@clients_group.command("restore")
@_client_id
def restore_command(client_id: str) -> None:
    """Let CLIENT_ID, which was revoked, connect again."""
    home = Home.locate()
    if not Clients.load(home).restore(client_id):
        raise ShellwireError(f"{client_id} is not revoked")
    _tell(home, f"restored {client_id}")


def _tell(home: Home, what: str) -> None:
    # First the daemon: the change is to take effect also where nobody reads what we print.
    try:
        tell_to_reload(home)
    finally:
        say(what)


def _from_file(home: Home) -> list[dict[str, Any]]:
    return [
        {
            "client_id": record.client_id,
            "first_seen": record.first_seen,
            "last_seen": record.last_seen,
            "is_revoked": record.is_revoked,
            "is_connected": False,
        }
        for record in Clients.load(home).records()
    ]


def _row(client: dict[str, Any]) -> tuple[str, ...]:
    state = "revoked" if client["is_revoked"] else "connected" if client["is_connected"] else "-"
    return (
        client["client_id"],
        state,
        local_time(client["first_seen"]),
        local_time(client["last_seen"]),
    )
