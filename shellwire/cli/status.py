"""``shellwire status``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from shellwire.cli.say import say, say_json
from shellwire.daemon import health
from shellwire.errors import Unreachable
from shellwire.home import address, pidfile
from shellwire.home.paths import Home

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
    record = pidfile.find_live(home)
    if record is None:
        _print(as_json, {"running": False}, ["shellwire is not running"])
        ctx.exit(_NOT_RUNNING)
    described = _describe(home, record)
    try:
        found = {**described, **_ask(home, record)}
    except Unreachable as error:
        _print(
            as_json,
            {**described, "status": "silent", "error": str(error)},
            [f"shellwire (pid {record.pid}) is alive, but {error}"],
        )
        ctx.exit(1)
    _print(as_json, found, _in_words(found))


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
        described["warning"] = f"{home.pid_file} is gone: stop this daemon and start it anew"
    return described


def _ask(home: Home, record: DaemonRecord) -> dict[str, Any]:
    if record.host is None or record.port is None:
        # 0.1.4's, which did not write it down, or one whose pid file is gone.
        found = health.ask_process(record.pid, seconds=_SECONDS)
        return {**found, "url": address.url("ws", found["host"], found["port"])}
    if home.socket_file.is_socket():
        return health.ask_socket(home, seconds=_SECONDS)
    return health.ask_port(record.host, record.port, seconds=_SECONDS)


def _print(as_json: bool, found: dict[str, Any], words: list[str]) -> None:
    if as_json:
        say_json(found)
        return
    for line in words:
        say(line)


def _in_words(found: dict[str, Any]) -> list[str]:
    words = [
        f"shellwire {found['version']} is running at {found['url']}",
        f"  pid:       {found['pid']}",
        f"  uptime:    {found.get('uptime_seconds')} s",
        f"  commands:  {found.get('active_commands')}",
        f"  sessions:  {found.get('active_sessions')}",
    ]
    return [*words, f"  warning:   {found['warning']}"] if "warning" in found else words
