"""Connect a command to a daemon: find it, run the command's work, map errors to exit codes."""

from __future__ import annotations

import contextlib
import re
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from shellwire.cli.collection import importing
from shellwire.cli.errors import Failure, called_as
from shellwire.cli.param_types import PatternType
from shellwire.cli.printing import print_amid_output, print_line
from shellwire.errors import (
    Forbidden,
    InvalidToken,
    Kicked,
    NotRunning,
    Refusal,
    ShellwireError,
    Unreachable,
)
from shellwire.home.paths import Home
from shellwire.output import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from shellwire.client import Client
    from shellwire.client.endpoint import Endpoint

T = TypeVar("T")

_NOT_ALLOWED = re.compile(r"the role (\S+) may not send (\S+)")

EXIT_UNAVAILABLE = 255
"""Exit code without a connection, as of ssh(1)."""

RECONNECT_SECONDS = 600.0
"""Seconds of reconnecting after a connection was lost; the user can end that."""

LOCAL_RECONNECT_SECONDS = 15.0
"""The same for the local daemon: its connection is lost only when it ends or restarts."""

host_option = click.option(
    "-H", "--on", "host", metavar="NAME", help="Use the daemon on this host (see `login`)."
)
"""Selects the daemon; the default is that of SHELLWIRE_URL, else the local one."""

name_option = click.option(
    "--name",
    type=PatternType("name", r"[A-Za-z0-9._-]{1,64}", "1 to 64 letters, digits, `.`, `_` and `-`"),
    help="Name of the job, usable in place of its id. No other running job may have it.",
)


def require_terminals() -> None:
    """Raise Failure on systems without support for terminals."""
    if sys.platform == "win32":
        raise Failure("no terminals on this system yet: use exec without -t", EXIT_UNAVAILABLE)


def endpoint_of(host: str | None) -> Endpoint:
    """Return the address of the daemon. Raises Failure if no host of that name is saved."""
    from shellwire.client.endpoint import Endpoint

    if host is None:
        return Endpoint.find()
    from shellwire.home.hosts import load_hosts

    saved = load_hosts(Home.locate()).get(host)
    if saved is None:
        raise Failure(
            f"no host {quoted(host)} is saved; `{called_as()} login {host} URL` saves one",
            EXIT_UNAVAILABLE,
        )
    return Endpoint(url=saved.url, token=saved.token)


def run_with_client(
    host: str | None, work: Callable[[Client], Coroutine[Any, Any, T]], *, follows: bool = False
) -> T:
    """Connect to a daemon, run ``work`` with the client and return its result.

    Raises Failure with 255 if there is no connection. If ``work`` ``follows`` a job, whose exit
    code becomes this program's, 255 is used for every other error too.
    """
    return run_at(_find_endpoint(host), work, follows=follows)


def run_with_clients(
    hosts: set[str],
    work: Callable[[dict[str, Client]], Coroutine[Any, Any, T]],
    report: Callable[[str], None],
) -> T:
    """Like ``run_with_client``, with a client for each host; the name "" is the default daemon.

    ``report`` is called with a line when a connection is lost or restored.
    """
    endpoints = {host: _find_endpoint(host or None) for host in sorted(hosts)}

    async def connected() -> T:
        async with contextlib.AsyncExitStack() as stack:
            clients = {
                host: await stack.enter_async_context(_client(endpoint, report, f"{host}:"))
                for host, endpoint in endpoints.items()
            }
            return await work(clients)

    return _run(connected(), follows=False, lacks_token=any(map(_lacks_token, endpoints.values())))


def run_at(
    endpoint: Endpoint, work: Callable[[Client], Coroutine[Any, Any, T]], *, follows: bool = False
) -> T:
    """Like ``run_with_client``, with the daemon at ``endpoint``."""

    async def connected() -> T:
        async with _client(endpoint, _print_to_stderr) as client:
            return await work(client)

    return _run(
        _following(endpoint, work) if follows else connected(),
        follows=follows,
        lacks_token=_lacks_token(endpoint),
    )


async def _following(endpoint: Endpoint, work: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
    """Connect and run ``work``, which follows a job; exit with 128 + n if signal n ends it."""
    import asyncio

    from shellwire.cli.signals import CancelOnSignal, EndedBySignal, handling, signal_name
    from shellwire.cli.waiting import connecting

    stop = CancelOnSignal()
    done: list[T] = []
    with handling(stop):
        try:
            async with contextlib.AsyncExitStack() as stack:
                client = _client(endpoint, print_amid_output)
                with connecting(endpoint.name):
                    await stack.enter_async_context(client)
                done.append(await work(client))
        except asyncio.CancelledError:
            if stop.number is None:
                raise
            if not done:  # otherwise the signal only interrupted closing the connection
                EndedBySignal(stop.number, f"ended by {signal_name(stop.number)}").exit()
        except EndedBySignal as end:  # the terminal is out of raw mode by now
            end.exit()
    return done[0]


def _find_endpoint(host: str | None) -> Endpoint:
    try:
        return endpoint_of(host)
    except ShellwireError as error:
        raise Failure(str(error), EXIT_UNAVAILABLE) from error


def _lacks_token(endpoint: Endpoint) -> bool:
    """Whether SHELLWIRE_URL gave the address, and nothing a token."""
    return endpoint.url is not None and endpoint.token is None


def _run(work: Coroutine[Any, Any, T], *, follows: bool, lacks_token: bool) -> T:
    """Run ``work``; turn its errors into Failures with exit codes."""
    with importing():
        import asyncio

        import shellwire.client.client  # noqa: F401 - `work` needs it

    try:
        return asyncio.run(_interruptible(work))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except Kicked as error:
        why = f": {error.reason}" if error.reason else ""
        raise Failure(f"kicked{why}", EXIT_UNAVAILABLE) from error
    except (NotRunning, Unreachable, Refusal) as error:
        raise Failure(
            f"{error}{_hint(error, lacks_token=lacks_token)}", EXIT_UNAVAILABLE
        ) from error
    except Failure:
        raise
    except ShellwireError as error:
        raise Failure(_in_words(error), EXIT_UNAVAILABLE if follows else 1) from error


def _hint(error: ShellwireError, *, lacks_token: bool) -> str:
    if type(error) is NotRunning:
        return f"; `{called_as()} start --daemon` starts it"
    if isinstance(error, InvalidToken) and lacks_token:
        return ": SHELLWIRE_URL is set, and SHELLWIRE_TOKEN is not"
    return ""


def _in_words(error: ShellwireError) -> str:
    """Return the error's text; if a role may not send a message, in terms of the command."""
    ctx = click.get_current_context(silent=True)
    refused = _NOT_ALLOWED.fullmatch(str(error)) if isinstance(error, Forbidden) else None
    if refused is None or ctx is None:
        return str(error)
    if refused.groups() == ("owner", "elevate"):
        return "the owner needs no elevation: no role is above it"
    command = " ".join(ctx.command_path.split()[1:])
    return f"your role, {refused[1]}, does not allow `{command}` ({error})"


async def _interruptible(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work``. The first Ctrl-C cancels it, the second one kills this process.

    After a cancellation asyncio and the interpreter wait for threads, and one of them may be
    blocked writing to a pipe that nobody reads.
    """
    import asyncio
    import signal

    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()

    def cancel() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        task.cancel()

    # An ignored SIGINT, as behind a shell's &, stays ignored.
    if sys.platform != "win32" and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGINT, cancel)
    return await work


def _client(endpoint: Endpoint, report: Callable[[str], None], label: str = "") -> Client:
    import secrets

    from shellwire.client import Client

    def tell(cut: str | None) -> None:
        report("shellwire: reconnected" if cut is None else f"shellwire: {cut}; reconnecting")

    client_id = f"cli-{secrets.token_hex(6)}"
    patience = LOCAL_RECONNECT_SECONDS if endpoint.url is None else RECONNECT_SECONDS
    return Client.at(endpoint, client_id, patience=patience, tell=tell, label=label, transient=True)


def _print_to_stderr(text: str) -> None:
    print_line(text, err=True)
