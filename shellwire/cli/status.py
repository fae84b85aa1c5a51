"""``shellwire status``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from shellwire.daemon import health
from shellwire.errors import Unreachable
from shellwire.home import pidfile
from shellwire.home.paths import Home
from shellwire.home.settings import Settings

if TYPE_CHECKING:
    from shellwire.home.pidfile import DaemonRecord

_SECONDS = 3.0
_NOT_RUNNING = 3  # as LSB has it for a service's status


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def status_command(ctx: click.Context, as_json: bool) -> None:
    """Tell whether the daemon runs, and how it is doing.

    Exits 0 if it answers, 1 if its process lives and does not answer, 3 if it is not running.
    """
    home = Home.locate()
    record = pidfile.read_live(home)
    if record is None:
        _print(as_json, {"running": False}, "shellwire is not running")
        ctx.exit(_NOT_RUNNING)
    described = _describe(record)
    try:
        found = {**described, **_ask(home, record)}
    except Unreachable as error:
        _print(
            as_json,
            {**described, "status": "silent", "error": str(error)},
            f"shellwire (pid {record.pid}) is alive, but {error}",
        )
        ctx.exit(1)
    _print(as_json, found, _in_words(found))


def _describe(record: DaemonRecord) -> dict[str, Any]:
    # A daemon of 0.1.4 does not say where it listens; most likely where they do by default.
    defaults = Settings()
    host, port = record.host or defaults.host, record.port or defaults.port
    return {
        "running": True,
        "pid": record.pid,
        "host": host,
        "port": port,
        "url": record.url or f"ws://{host}:{port}",
        "version": record.version,
    }


def _ask(home: Home, record: DaemonRecord) -> dict[str, Any]:
    # A record without a port is 0.1.4's, which has no socket; one that is there was left over.
    if record.port is not None and home.socket_file.is_socket():
        return health.ask_socket(home, seconds=_SECONDS)
    described = _describe(record)
    return health.ask_port(described["host"], described["port"], seconds=_SECONDS)


def _print(as_json: bool, found: dict[str, Any], words: str) -> None:
    click.echo(json.dumps(found, indent=2) if as_json else words)


def _in_words(found: dict[str, Any]) -> str:
    return (
        f"shellwire {found['version']} is running at {found['url']}\n"
        f"  pid:       {found['pid']}\n"
        f"  uptime:    {found.get('uptime_seconds')} s\n"
        f"  commands:  {found.get('active_commands')}\n"
        f"  sessions:  {found.get('active_sessions')}"
    )
