"""``shellwire login``, ``logout``, ``hosts``, ``whoami``: daemons elsewhere, by name."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from shellwire.cli.options import Matching
from shellwire.cli.remote import host_option, place_of, talk, talk_at
from shellwire.cli.say import say, say_json
from shellwire.cli.table import print_table
from shellwire.errors import InvalidUrl, ShellwireError
from shellwire.home import address
from shellwire.home.hosts import Host, forget_host, load_hosts, save_host
from shellwire.home.paths import Home
from shellwire.output import printable, quoted

if TYPE_CHECKING:
    from shellwire.client import Client

_NAME = Matching("name", r"[A-Za-z0-9][A-Za-z0-9._-]*", "a name: letters, digits, `.`, `_`, `-`")
# A name, an IPv4 address or an IPv6 one in brackets (RFC 3986, 3.2.2), and a port.
_HOST_AND_PORT = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s\[\]:/?#@]+):[0-9]+(?:[/?].*)?")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Url(click.ParamType[str]):
    """A URL that a daemon can be reached at; ``host:port`` is taken for ``ws://host:port``."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check it, and complete it."""
        from shellwire.client.endpoint import checked

        try:
            return checked(f"ws://{value}" if _HOST_AND_PORT.fullmatch(value) else value)
        except InvalidUrl as error:
            return self.fail(f"{error}.", param, ctx)


@click.command("login")
@click.argument("name", type=_NAME)
@click.argument("url", type=Url())
def login_command(name: str, url: str) -> None:
    """Save a daemon elsewhere as NAME, for -H.

    URL is as ws://host:7842, or wss://…; host:7842 is taken for ws://host:7842.

    Its token is asked for, or read from stdin if that is no terminal. It is saved, in a file that
    only you can read, when the daemon has accepted it.
    """
    from shellwire.client.endpoint import Endpoint

    _warn_of_plaintext(url)
    token = _ask_token(url)
    version = talk_at(Endpoint(url=url, token=token), _version)
    save_host(Home.locate(), name, Host(url, token))
    say(f"{name} is {url} (shellwire {version})")


@click.command("logout")
@click.argument("name")
def logout_command(name: str) -> None:
    """Forget host NAME and its token."""
    if not forget_host(Home.locate(), name):
        raise ShellwireError(f"no host {quoted(name)} is saved")
    say(f"forgot {name}")


@click.command("hosts")
@_json
def hosts_command(as_json: bool) -> None:
    """List the saved hosts, without their tokens."""
    hosts = [{"name": name, "url": host.url} for name, host in load_hosts(Home.locate()).items()]
    if as_json:
        say_json(hosts)
    elif hosts:
        print_table([("NAME", "URL"), *((each["name"], each["url"]) for each in hosts)])
    else:
        click.echo("no host is saved")


@click.command("whoami")
@host_option
@_json
def whoami_command(host: str | None, as_json: bool) -> None:
    """Tell which daemon the commands talk to, and as whom."""

    async def ask(client: Client) -> dict[str, Any]:
        status = await client.status()
        user = status.get("user")
        if user is None:  # an earlier daemon doesn't say it
            user = (await client.run("id -un")).stdout.strip()
        return {
            "host": host,
            "address": place_of(host).name,
            "user": user,
            "client_id": client.client_id,
            "version": status["version"],
            "shell": status["shell"],
        }

    found = talk(host, ask)
    if as_json:
        say_json(found)
        return
    where = f"{found['address']} ({host})" if host else found["address"]
    say(f"{found['user']} at {where}, shellwire {found['version']}, {found['shell']}")


async def _version(client: Client) -> str:
    return str((await client.status())["version"])


def _warn_of_plaintext(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "ws" and not address.is_loopback(parts.hostname or ""):
        say(
            f"Warning: nothing is encrypted on the way to {parts.hostname}: token, commands and"
            " output can be read there",
            err=True,
        )


def _ask_token(url: str) -> str:
    if sys.stdin is not None and sys.stdin.isatty():
        token = click.prompt(f"Token of {printable(url)}", hide_input=True, err=True)
    else:
        token = (sys.stdin.readline() if sys.stdin is not None else "").strip()
    if not token:
        raise click.UsageError("no token was given: type it, or pass it on stdin")
    return str(token)
