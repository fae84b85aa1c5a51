"""``shellwire login``, ``logout``, ``hosts``, ``whoami``: named daemons on other machines."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from shellwire.cli.param_types import PatternType
from shellwire.cli.printing import print_json, print_line
from shellwire.cli.remote import endpoint_of, host_option, run_at, run_with_client
from shellwire.cli.table import local_time, print_table
from shellwire.errors import InvalidUrl, ShellwireError
from shellwire.home import address
from shellwire.home.hosts import Host, forget_host, load_hosts, save_host
from shellwire.home.paths import Home
from shellwire.output import printable, quoted
from shellwire.principals import OWNER

if TYPE_CHECKING:
    from shellwire.client import Client

_NAME = PatternType("name", r"[A-Za-z0-9][A-Za-z0-9._-]*", "a name: letters, digits, `.`, `_`, `-`")
# A name, an IPv4 address or a bracketed IPv6 address (RFC 3986, 3.2.2), and a port.
_HOST_AND_PORT = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s\[\]:/?#@]+):[0-9]+(?:[/?].*)?")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Url(click.ParamType[str]):
    """The URL of a daemon; ``host:port`` is short for ``ws://host:port``."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the URL and complete it."""
        from shellwire.client.endpoint import checked

        try:
            return checked(f"ws://{value}" if _HOST_AND_PORT.fullmatch(value) else value)
        except InvalidUrl as error:
            return self.fail(f"{error}.", param, ctx)


@click.command("login")
@click.argument("name", type=_NAME)
@click.argument("url", type=Url())
def login_command(name: str, url: str) -> None:
    """Save a daemon's address and token under a name.

    Other commands reach that daemon with -H NAME. URL is ws://HOST:PORT or wss://HOST; HOST:PORT is
    short for ws://HOST:PORT.

    The token is asked for, or read from stdin if stdin is no terminal. It is saved once the daemon
    has accepted it, in a file that only you can read.

    \b
    Example:
      shellwire login box wss://shell.example
    """
    from shellwire.client.endpoint import Endpoint

    _warn_of_plaintext(url)
    token = _ask_token(url)
    version = run_at(Endpoint(url=url, token=token), _version)
    save_host(Home.locate(), name, Host(url, token))
    print_line(f"saved host {name}: {url} (shellwire {version})")


@click.command("logout")
@click.argument("name")
def logout_command(name: str) -> None:
    """Forget a saved host and its token.

    \b
    Example:
      shellwire logout box
    """
    if not forget_host(Home.locate(), name):
        raise ShellwireError(f"no host {quoted(name)} is saved")
    print_line(f"forgot host {name}")


@click.command("hosts")
@_json
def hosts_command(as_json: bool) -> None:
    """List the saved hosts, without their tokens.

    \b
    Example:
      shellwire hosts
    """
    hosts = [{"name": name, "url": host.url} for name, host in load_hosts(Home.locate()).items()]
    if as_json:
        print_json(hosts)
    elif hosts:
        print_table([("NAME", "URL"), *((each["name"], each["url"]) for each in hosts)])
    else:
        click.echo("no saved hosts")


@click.command("whoami")
@host_option
@_json
def whoami_command(host: str | None, as_json: bool) -> None:
    """Show which daemon and user the commands use.

    The daemon is that of -H, else of SHELLWIRE_URL, else the local one.

    \b
    Example:
      shellwire whoami -H box
    """

    async def ask(client: Client) -> dict[str, Any]:
        status = await client.status()
        user = status.get("user")
        if user is None:  # older daemons do not send it
            user = (await client.run("id -un")).stdout.strip()
        return {
            "host": host,
            "address": endpoint_of(host).name,
            "user": user,
            **_principal(status),
            "client_id": client.client_id,
            "version": status["version"],
            "shell": status["shell"],
        }

    found = run_with_client(host, ask)
    if as_json:
        print_json(found)
        return
    where = f"{found['address']} ({host})" if host else found["address"]
    role = "" if found["role"] == "owner" else f" as {found['principal']} ({_role(found)})"
    print_line(f"{found['user']} at {where}{role}, shellwire {found['version']}, {found['shell']}")


def _principal(status: dict[str, Any]) -> dict[str, Any]:
    # Older daemons have only the owner, and do not send it.
    found = status.get("principal") or {"name": OWNER, "role": OWNER}
    shown = {"principal": found["name"], "role": found["role"]}
    elevated = found.get("elevated")
    return shown if elevated is None else {**shown, "elevated_until": elevated["expires_at"]}


def _role(found: dict[str, Any]) -> str:
    until = found.get("elevated_until")
    return str(found["role"]) if until is None else f"{found['role']} until {local_time(until)}"


async def _version(client: Client) -> str:
    return str((await client.status())["version"])


def _warn_of_plaintext(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "ws" and not address.is_loopback(parts.hostname or ""):
        print_line(
            f"Warning: the connection to {parts.hostname} is not encrypted: others can read token,"
            " commands and output on the way",
            err=True,
        )


def _ask_token(url: str) -> str:
    if sys.stdin is not None and sys.stdin.isatty():
        token = click.prompt(f"Token of {printable(url)}", hide_input=True, err=True)
    else:
        token = (sys.stdin.readline() if sys.stdin is not None else "").strip()
    if not token:
        raise click.UsageError("no token given: type it, or pass it on stdin")
    return str(token)
