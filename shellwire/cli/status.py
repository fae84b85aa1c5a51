"""``shellwire status``: show whether the daemon runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from shellwire.cli.printing import print_json, print_line
from shellwire.cli.table import local_time
from shellwire.daemon import health
from shellwire.errors import Unreachable
from shellwire.home import address, pidfile
from shellwire.home.paths import Home
from shellwire.output import printable

if TYPE_CHECKING:
    from shellwire.home.pidfile import DaemonRecord

_SECONDS = 3.0
_EXIT_NOT_RUNNING = 3  # as the LSB defines for a service's status


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def status_command(ctx: click.Context, as_json: bool) -> None:
    """Show whether the local daemon runs.

    \b
    Example:
      shellwire status --json

    \b
    Exit codes:
      0  the daemon answers
      1  its process runs but does not answer
      3  not running
    """
    home = Home.locate()
    record = pidfile.find_live(home)
    if record is None:
        _print(as_json, {"running": False}, ["shellwire is not running"])
        ctx.exit(_EXIT_NOT_RUNNING)
    described = _describe(home, record)
    try:
        found = {**described, **_ask(home, record)}
    except Unreachable as error:
        _print(
            as_json,
            {**described, "status": "silent", "error": str(error)},
            [f"shellwire (pid {record.pid}) runs but does not answer: {error}"],
        )
        ctx.exit(1)
    _print(as_json, found, _as_text(found))


def _describe(home: Home, record: DaemonRecord) -> dict[str, Any]:
    described = {
        "running": True,
        "pid": record.pid,
        "host": record.host,
        "port": record.port,
        "url": record.url,
        "version": record.version,
    }
    if not home.pid_file.exists():
        described["warning"] = f"{home.pid_file} is gone: stop and restart this daemon"
    return described


def _ask(home: Home, record: DaemonRecord) -> dict[str, Any]:
    if record.host is None or record.port is None:
        # A daemon of 0.1.4, which did not record its address, or one whose pid file is gone.
        found = health.ask_process(record.pid, seconds=_SECONDS)
        return {**found, "url": address.url("ws", found["host"], found["port"])}
    if home.socket_file.is_socket():
        return health.ask_socket(home, seconds=_SECONDS, verbose=True)
    return health.ask_port(record.host, record.port, seconds=_SECONDS)


def _print(as_json: bool, found: dict[str, Any], lines: list[str]) -> None:
    if as_json:
        print_json(found)
        return
    for line in lines:
        print_line(line)


def _as_text(found: dict[str, Any]) -> list[str]:
    lines = [
        f"shellwire {found['version']} is running at {found['url']}",
        f"  pid:       {found['pid']}",
        f"  uptime:    {found.get('uptime_seconds')} s",
        f"  commands:  {found.get('active_commands')}",
        f"  sessions:  {found.get('active_sessions')}",
    ]
    lines += [f"  elevated:  {_elevation(each)}" for each in found.get("elevated", ())]
    return [*lines, f"  warning:   {found['warning']}"] if "warning" in found else lines


def _elevation(raised: dict[str, Any]) -> str:
    return (
        f"{raised['principal']} (token {raised['token']}) is {raised['role']} until"
        f" {local_time(raised['expires_at'])}: {printable(raised['reason'])}"
    )
