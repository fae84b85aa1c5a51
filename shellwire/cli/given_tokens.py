"""``shellwire token create``, ``list``, ``revoke``: the tokens of other principals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from shellwire.cli.errors import note
from shellwire.cli.param_types import Duration, IntegerRange, PatternType
from shellwire.cli.printing import print_json, print_line
from shellwire.cli.remote import host_option, run_with_client
from shellwire.cli.table import duration, local_time, print_table
from shellwire.output import quoted
from shellwire.principals import NAME, TOKEN_ROLES

if TYPE_CHECKING:
    from shellwire.client import Client

_NAME = PatternType(
    "name", NAME, "1 to 32 characters: a to z, 0 to 9 and, not first, `.`, `_`, `-`"
)
_MAX_WIRE_INTEGER = 2**53 - 1
_COLUMNS = (
    "TOKEN",
    "PRINCIPAL",
    "ROLE",
    "STATE",
    "CREATED",
    "EXPIRES",
    "CREATED BY",
    "REASON",
    "LIMITS",
)

_WORTH = {
    "admin": "an admin reaches all jobs and files, and runs commands with the daemon's uid",
    "operator": "an operator's commands run with the daemon's uid, so they can read your files and"
    " your own token: a role orders people who trust each other, it is no wall",
    "viewer": "a viewer reads the output of all jobs, your own too, and starts nothing",
    "metrics": "this role reads numbers about the daemon, and nothing else",
}

_RUNNING = frozenset({"admin", "operator"})


class _Elevation(click.ParamType[dict[str, Any]]):
    """A role and a duration, as ``operator:30m``."""

    name = "role:ttl"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, Any]:
        """Return the fields of ``may_elevate``."""
        match = re.fullmatch(rf"({'|'.join(TOKEN_ROLES)}):(.+)", value)
        if match is None:
            return self.fail(f"{quoted(value)} is not ROLE:TTL, as operator:30m.", param, ctx)
        return {"role": match[1], "ttl_seconds": Duration().convert(match[2], param, ctx)}


@click.command("create")
@host_option
@click.argument("name", type=_NAME)
@click.option("--principal", type=_NAME, help="Whose token it is; default: a new one named NAME.")
@click.option("--role", type=click.Choice(TOKEN_ROLES), required=True, help="What it allows.")
@click.option("--ttl", type=Duration(), help="How long it works, as 8h; default: for ever.")
@click.option("--from", "networks", multiple=True, metavar="CIDR", help="Only from this network.")
@click.option(
    "--max-processes",
    type=IntegerRange(1, _MAX_WIRE_INTEGER),
    help="Commands and sessions that may run at a time.",
)
@click.option(
    "--isolate",
    metavar="MODE",
    help="How its jobs must be isolated, as bwrap. No isolation is built yet: it runs nothing.",
)
@click.option(
    "--may-elevate", type=_Elevation(), metavar="ROLE:TTL", help="What it may become for a while."
)
@click.option("--reason", help="Why you create it; `token list` shows it.")
def create_command(
    host: str | None, name: str, networks: tuple[str, ...], ttl: float | None, **fields: Any
) -> None:
    """Create a token for somebody else and print it once.

    Its holder is a principal of the daemon, with jobs, contexts and limits of its own. The token
    is stored only as a hash: if it is lost, revoke it and create another one.

    A role is one of: admin (all jobs and files, and most administration), operator (its own jobs),
    viewer (reads all output), metrics (numbers only).

    \b
    Example:
      shellwire token create ci --role operator --ttl 8h
    """
    request = {**fields, "name": name, "ttl_seconds": ttl, "from": networks}

    async def create(client: Client) -> str:
        return str((await client.request("create_token", **request))["token"])

    token = run_with_client(host, create)
    print_line(token)
    note(f"Note: {_worth(**fields)}")


def _worth(*, role: str, isolate: str | None, **_: Any) -> str:
    if role in _RUNNING and isolate not in (None, "native"):
        return (
            f"this token runs nothing on this daemon yet: it demands the isolation {isolate}, and"
            " no isolation is built"
        )
    return _WORTH[role]


@click.command("list")
@host_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of objects.")
def list_command(host: str | None, as_json: bool) -> None:
    """List the tokens of others, without their secrets.

    The column LIMITS is there if a token has any: from, max-processes, isolate, may-elevate.

    \b
    Example:
      shellwire token list --json
    """

    async def ask(client: Client) -> list[dict[str, Any]]:
        return list((await client.request("list_tokens"))["tokens"])

    tokens = run_with_client(host, ask)
    if as_json:
        print_json(tokens)
    elif tokens:
        rows = [_COLUMNS, *map(_row, tokens)]
        if not any(map(_limits, tokens)):
            rows = [row[:-1] for row in rows]
        print_table(rows)
    else:
        click.echo("no tokens of others")


@click.command("revoke")
@host_option
@click.argument("name", type=_NAME)
@click.option("--keep-children", is_flag=True, help="Keep the tokens that were created with it.")
def revoke_command(host: str | None, name: str, keep_children: bool) -> None:
    """Revoke a token, and the tokens that were created with it.

    Their connections and transfers end at once; jobs that they started keep running. With
    --keep-children the tokens created with it stay, and count as created by its own creator.

    \b
    Example:
      shellwire token revoke ci
    """

    async def revoke(client: Client) -> None:
        await client.request("revoke_token", name=name, keep_children=keep_children)

    run_with_client(host, revoke)
    print_line(f"revoked token {name}")


def _row(token: dict[str, Any]) -> tuple[str, ...]:
    import time

    expires = token["expires_at"]
    is_expired = expires is not None and expires <= time.time()
    state = "expired" if is_expired else "connected" if token["is_connected"] else "-"
    return (
        token["name"],
        token["principal"],
        token["role"],
        state,
        local_time(token["created_at"]),
        local_time(expires),
        token["minted_by"] or "owner",
        token["reason"] or "",
        _limits(token),
    )


def _limits(token: dict[str, Any]) -> str:
    """Return what was set for a token beside its role, written as the options of ``create``."""
    found = [f"from={','.join(token['from'])}"] if token["from"] else []
    found += [
        f"{field.replace('_', '-')}={token[field]}"
        for field in ("max_processes", "isolate")
        if token[field] is not None
    ]
    if may := token["may_elevate"]:
        found.append(f"may-elevate={may['role']}:{duration(may['ttl_seconds']).replace(' ', '')}")
    return " ".join(found)
