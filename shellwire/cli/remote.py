"""Commands that talk to a daemon: which one, and what their exit codes mean."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from shellwire.cli.errors import Failure, called_as
from shellwire.cli.options import Matching
from shellwire.cli.say import say, say_amid_output
from shellwire.errors import NotRunning, Refusal, ShellwireError, Unreachable
from shellwire.home.hosts import load_hosts
from shellwire.home.paths import Home
from shellwire.output import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from shellwire.client import Client
    from shellwire.client.endpoint import Endpoint

T = TypeVar("T")

TROUBLE = 255
"""Exit code where there is no connection, as ssh(1) has it."""

PATIENCE = 600.0
"""Seconds during which a connection that was cut is tried again; its user can end that."""

LOCAL_PATIENCE = 15.0
"""The same for the local daemon, which only its end cuts off; a restart takes one or two."""

host_option = click.option(
    "-H", "--on", "host", metavar="NAME", help="The host of that name, see `login`."
)
"""Which daemon; without it that of SHELLWIRE_URL, else the local one."""

name_option = click.option(
    "--name",
    type=Matching("name", r"[A-Za-z0-9._-]{1,64}", "1 to 64 letters, digits, `.`, `_` and `-`"),
    help="A name for the job, which works as its id does; no living job may have it.",
)


def require_terminals() -> None:
    """Raise Failure where we know of no terminal."""
    if sys.platform == "win32":
        raise Failure("no terminals on this system yet: use exec without -t", TROUBLE)


def place_of(host: str | None) -> Endpoint:
    """Return where the daemon is. Raises Failure if no host of that name is saved."""
    from shellwire.client.endpoint import Endpoint

    if host is None:
        return Endpoint.find()
    saved = load_hosts(Home.locate()).get(host)
    if saved is None:
        raise Failure(
            f"no host {quoted(host)} is saved; `{called_as()} login {host} URL` saves one", TROUBLE
        )
    return Endpoint(url=saved.url, token=saved.token)


def talk(
    host: str | None, work: Callable[[Client], Coroutine[Any, Any, T]], *, follows: bool = False
) -> T:
    """Connect, do the work, and return what it returns.

    Raises Failure with 255 if there is no connection, and for whatever else goes wrong if the work
    ``follows`` a job, whose exit code is to be ours.
    """
    return talk_at(_place(host), work, follows=follows)


def talk_to(
    hosts: set[str],
    work: Callable[[dict[str, Client]], Coroutine[Any, Any, T]],
    say: Callable[[str], None],
) -> T:
    """As ``talk``, with a client of each of these hosts; the empty one is that without a name.

    ``say`` gets what is said of their connections.
    """
    places = {host: _place(host or None) for host in sorted(hosts)}

    async def connected() -> T:
        async with contextlib.AsyncExitStack() as stack:
            clients = {
                host: await stack.enter_async_context(_client(place, say, f"{host}:"))
                for host, place in places.items()
            }
            return await work(clients)

    return _told(connected(), follows=False)


def talk_at(
    place: Endpoint, work: Callable[[Client], Coroutine[Any, Any, T]], *, follows: bool = False
) -> T:
    """As ``talk``, with the daemon at that place."""

    async def connected() -> T:
        async with _client(place, _say) as client:
            return await work(client)

    return _told(_following(place, work) if follows else connected(), follows=follows)


async def _following(place: Endpoint, work: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
    """Connect and follow a job; a signal that ends us costs a line and has its exit code."""
    import asyncio

    from shellwire.cli.signals import Ended, Stop, handling, name_of
    from shellwire.cli.waiting import connecting

    stop = Stop()
    done: list[T] = []
    with handling(stop):
        try:
            async with contextlib.AsyncExitStack() as stack:
                client = _client(place, say_amid_output)
                with connecting(place.name):
                    await stack.enter_async_context(client)
                done.append(await work(client))
        except asyncio.CancelledError:
            if stop.number is None:
                raise
            if not done:  # else only the farewell was cut short
                Ended(stop.number, f"ended by {name_of(stop.number)}").exit()
        except Ended as end:  # our terminal is as it was by now
            end.exit()
    return done[0]


def _place(host: str | None) -> Endpoint:
    try:
        return place_of(host)
    except ShellwireError as error:
        raise Failure(str(error), TROUBLE) from error


def _told(work: Coroutine[Any, Any, T], *, follows: bool) -> T:
    """Do it; what goes wrong is a line and an exit code."""
    import asyncio

    try:
        return asyncio.run(_interruptible(work))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except (NotRunning, Unreachable, Refusal) as error:
        hint = f"; `{called_as()} start --daemon` starts it" if type(error) is NotRunning else ""
        raise Failure(f"{error}{hint}", TROUBLE) from error
    except Failure:
        raise
    except ShellwireError as error:
        raise Failure(str(error), TROUBLE if follows else 1) from error


async def _interruptible(work: Coroutine[Any, Any, T]) -> T:
    """Do it. The first Ctrl-C cancels it, which may take a while; the next one ends us as it is.

    asyncio and the end of the interpreter would wait for threads that write to who does not read.
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

    # Where Ctrl-C is ignored, as behind a shell's &, it stays so.
    if sys.platform != "win32" and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGINT, cancel)
    return await work


def _client(place: Endpoint, say: Callable[[str], None], label: str = "") -> Client:
    import secrets

    from shellwire.client import Client

    def tell(cut: str | None) -> None:
        now = "connected again" if cut is None else f"{cut}; trying again"
        say(f"shellwire: {now}")

    name = f"cli-{secrets.token_hex(6)}"
    patience = LOCAL_PATIENCE if place.url is None else PATIENCE
    return Client.at(place, name, patience=patience, tell=tell, label=label, transient=True)


def _say(text: str) -> None:
    say(text, err=True)
