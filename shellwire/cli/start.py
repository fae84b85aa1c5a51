"""``shellwire start`` and ``shellwire run``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from shellwire import __version__
from shellwire.cli.errors import called_as
from shellwire.cli.options import DAEMON, INSECURE_HOME, SETTINGS, warn_of_unknown_variables
from shellwire.cli.say import say
from shellwire.errors import AlreadyRunning, StartError
from shellwire.home import address, pidfile
from shellwire.home.clients import Clients
from shellwire.home.paths import Home
from shellwire.home.settings import Settings
from shellwire.home.token import read_token, token_origin

if TYPE_CHECKING:
    from shellwire.home.token import TokenOrigin

_TOKEN = "SHELLWIRE_TOKEN"

# What macOS gives to each process. A shell keeps its report at descriptor 200 and above.
_LEAST_DESCRIPTORS = 256


@click.command("start", params=[DAEMON, *SETTINGS, INSECURE_HOME])
@click.pass_context
def start_command(ctx: click.Context, /, daemon: bool, **settings: Any) -> None:
    """Start the daemon, in the foreground unless --daemon is given.

    Each flag is also a variable, and a key of config.toml in the home, spelled with underscores.
    Flags beat variables, and those the file; `shellwire config show` tells what holds, and why.
    """
    _start(ctx, Settings(**settings), detached=daemon)


@click.command("run", params=[*SETTINGS, INSECURE_HOME])
@click.pass_context
def run_command(ctx: click.Context, /, **settings: Any) -> None:
    """Start the daemon in the foreground, and log to stderr too.

    Takes variables and config.toml as `start` does.
    """
    _start(ctx, Settings(**settings), detached=False)


def _start(ctx: click.Context, settings: Settings, *, detached: bool) -> None:
    _leave_token_behind()
    warn_of_unknown_variables()
    _refuse_few_descriptors()
    _refuse_plaintext(settings)
    home = Home.locate()
    home.ensure()
    _refuse_second(home)
    Clients.load(home)  # a damaged file is best said before anything starts
    origin = token_origin(home)
    cwd = _current_directory()
    if detached:
        if sys.platform == "win32":
            from shellwire.daemon.background import start_detached
        else:
            from shellwire.daemon.daemonize import start_detached

        _announce(home, origin, *start_detached(home, settings, start_cwd=cwd))
    else:
        ctx.exit(_serve_here(home, settings, origin, cwd))


def _serve_here(home: Home, settings: Settings, origin: TokenOrigin, cwd: str) -> int:
    from shellwire.daemon.run import serve
    from shellwire.home.lock import daemon_lock

    with daemon_lock(home):
        return serve(
            home,
            settings,
            start_cwd=cwd,
            on_ready=lambda host, port: _announce(
                home, origin, os.getpid(), host, port, secret=sys.stdout.isatty()
            ),
            foreground=True,
        )


def _leave_token_behind() -> None:
    """Execute this program again without a client's token in the environment.

    What a process was started with stands in /proc/PID/environ (proc(5)) for as long as it lives,
    for every process of the same user: unsetting a variable doesn't remove it there.
    """
    if sys.platform == "win32" or _TOKEN not in os.environ:
        return
    environment = {name: value for name, value in os.environ.items() if name != _TOKEN}
    os.execve(sys.executable, sys.orig_argv, environment)


def _refuse_few_descriptors() -> None:
    """Raise StartError where a shell could not open the descriptors that its prologue uses."""
    if sys.platform == "win32":
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < _LEAST_DESCRIPTORS:
        raise StartError(
            f"a process may open {limit} files here (ulimit -n), and shellwire needs"
            f" {_LEAST_DESCRIPTORS}"
        )


def _refuse_plaintext(settings: Settings) -> None:
    if settings.insecure_plaintext or address.is_loopback(settings.host):
        return
    _resolve(settings.host)
    raise StartError(
        f"{settings.host} is not a loopback address, and nothing is encrypted: token, commands and"
        " output could be read on the way (--insecure-plaintext to accept that)"
    )


def _resolve(host: str) -> None:
    """Raise StartError if ``host`` is a name without an address: then that is what is wrong."""
    import socket

    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "that is no name of a host"
        raise StartError(f"cannot listen on {host}: {reason.lower()}") from error


def _refuse_second(home: Home) -> None:
    record = pidfile.read_live(home)
    if record is not None:
        where = f", {record.url}" if record.url else ""
        raise AlreadyRunning(f"already running (pid {record.pid}{where})")


def _current_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:  # removed under our feet
        home = os.path.expanduser("~")
        return home if os.path.isabs(home) else "/"


def _announce(
    home: Home, origin: TokenOrigin, pid: int, host: str, port: int, *, secret: bool = True
) -> None:
    """Say where the daemon listens; and the token, if there was none before this start.

    Without ``secret`` only where it is: a supervisor's log is read by others, and kept.
    """
    url = address.url("ws", host, port)
    said = f"shellwire {__version__} listens at {url} (pid {pid})"
    if origin == "replaced":
        said += f"\n{home.token_file} held no valid token: it has a new one"
    if origin != "kept":
        shown = f"{read_token(home)}\n            " if secret else ""
        said += (
            f"\n\n  token:    {shown}"
            f"kept in {home.token_file}; `{called_as()} token` shows it{' again' * secret}\n"
            f"  connect:  open a WebSocket to {url} and send first\n"
            '            {"type": "auth", "token": "<token>", "client_id": "<name>",'
            ' "protocol": 1}\n'
        )
    for line in said.split("\n"):
        say(line)
