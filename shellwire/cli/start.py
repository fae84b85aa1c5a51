"""``shellwire start`` and ``shellwire run``: start the daemon."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from shellwire import __version__
from shellwire.cli.errors import called_as
from shellwire.cli.options import DAEMON, INSECURE_HOME, SETTINGS, unknown_variables
from shellwire.cli.printing import print_line
from shellwire.cli.setting import given_names
from shellwire.cli.start_help import StartCommand
from shellwire.errors import AlreadyRunning, StartError
from shellwire.home import address, pidfile
from shellwire.home.clients import Clients
from shellwire.home.paths import Home
from shellwire.home.settings import Settings
from shellwire.home.token import read_token, token_origin

if TYPE_CHECKING:
    from shellwire.home.token import TokenOrigin

_TOKEN = "SHELLWIRE_TOKEN"

# The default limit of macOS. The shell prologue uses descriptors from 200 on.
_MIN_DESCRIPTORS = 256


@click.command("start", cls=StartCommand, params=[DAEMON, *SETTINGS, INSECURE_HOME])
@click.pass_context
def start_command(ctx: click.Context, /, daemon: bool, **settings: Any) -> None:
    """Start the daemon; with --daemon in the background.

    Each option is also an environment variable and, but for --insecure-home, a key of
    ~/.shellwire/config.toml, spelled with underscores; limits are in its table [limits]. Options
    override variables, variables override the file, the file overrides a --preset;
    `shellwire config show` shows the result, and `shellwire config check` what a changed file would
    break.

    \b
    Example:
      shellwire start --daemon
    """
    _start(ctx, Settings(**settings, given=given_names(ctx)), detached=daemon)


@click.command("run", cls=StartCommand, params=[*SETTINGS, INSECURE_HOME])
@click.pass_context
def run_command(ctx: click.Context, /, **settings: Any) -> None:
    """Start the daemon in the foreground and log to stderr too.

    It takes the variables and the config.toml of `start`.

    \b
    Example:
      shellwire run --log-level debug
    """
    _start(ctx, Settings(**settings, given=given_names(ctx)), detached=False)


def _start(ctx: click.Context, settings: Settings, *, detached: bool) -> None:
    _drop_client_token()
    _check_variables()
    _refuse_few_descriptors()
    refuse_plaintext(settings)
    home = Home.locate()
    home.ensure()
    _refuse_second(home)
    from shellwire.home.tokens import Tokens  # takes longer to import than --help may

    for files in (Clients, Tokens):
        files.load(home)  # report a damaged file before anything starts
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


def _drop_client_token() -> None:
    """Execute this program again without a client's token in its environment.

    /proc/PID/environ (proc(5)) shows the environment that a process was started with to all
    processes of the same user. Unsetting a variable does not remove it there.
    """
    if sys.platform == "win32" or _TOKEN not in os.environ:
        return
    environment = {name: value for name, value in os.environ.items() if name != _TOKEN}
    os.execve(sys.executable, sys.orig_argv, environment)


def _check_variables() -> None:
    """Warn of unknown variables. Raises UsageError if one about security is probably meant."""
    unknown = unknown_variables()
    for line, is_security in unknown.items():
        if is_security:
            raise click.UsageError(f"{line}; it is about security, so nothing is started")
    for line in unknown:
        print_line(f"Warning: {line}", err=True)


def _refuse_few_descriptors() -> None:
    """Raise StartError if the limit of open files is too low for the shell prologue."""
    if sys.platform == "win32":
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < _MIN_DESCRIPTORS:
        raise StartError(
            f"the limit of open files is {limit} (ulimit -n), and shellwire needs"
            f" {_MIN_DESCRIPTORS}"
        )


def refuse_plaintext(settings: Settings) -> None:
    """Raise StartError if others could read what clients send, and that is not accepted."""
    if settings.insecure_plaintext:
        return
    is_loopback = address.is_loopback(settings.host)
    # hosts(5) may give localhost another address.
    if is_loopback and settings.host.lower() != "localhost":
        return
    if all(map(address.is_loopback, _resolve(settings.host))) and is_loopback:
        return
    raise StartError(
        f"{settings.host} is not a loopback address, and nothing is encrypted: others could read"
        " token, commands and output on the way (--insecure-plaintext accepts that)"
    )


def _resolve(host: str) -> list[str]:
    """Return the addresses of ``host``. Raises StartError if it is a name that has none."""
    import socket

    try:
        return [str(info[4][0]) for info in socket.getaddrinfo(host, None)]
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not a valid host name"
        raise StartError(f"cannot listen on {host}: {reason.lower()}") from error


def _refuse_second(home: Home) -> None:
    record = pidfile.read_live(home)
    if record is not None:
        where = f", {record.url}" if record.url else ""
        raise AlreadyRunning(f"already running (pid {record.pid}{where})")


def _current_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:  # it was removed
        home = os.path.expanduser("~")
        return home if os.path.isabs(home) else "/"


def _announce(
    home: Home, origin: TokenOrigin, pid: int, host: str, port: int, *, secret: bool = True
) -> None:
    """Print where the daemon listens; if its token is new, also how to use it.

    Without ``secret`` the token itself is not printed: others may read a supervisor's log.
    """
    url = address.url("ws", host, port)
    lines = [f"shellwire {__version__} listens at {url} (pid {pid})"]
    if origin == "replaced":
        lines.append(f"{home.token_file} held no valid token: it has a new one")
    if origin != "kept":
        program = called_as()
        lines += [
            "",
            f"  try it:   {program} exec 'echo hi'",
            f"            {program} shell",
            *([f"  token:    {read_token(home)}"] if secret else []),
            f"  {'' if secret else 'token:':10}in {home.token_file}; `{program} token` prints it",
            f"  clients:  open a WebSocket to {url} and send first",
            '            {"type": "auth", "token": "<token>", "client_id": "<name>",'
            ' "protocol": 1}',
            f'  all day:  put preset = "person" into {home.config_file}: from the next start on',
            "            there is room for 16 clients and sessions",
            "",
        ]
    for line in lines:
        print_line(line)
