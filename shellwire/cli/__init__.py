"""The command line: one file a noun; each parses, calls, prints."""

from __future__ import annotations

import shellwire.cli.descriptors  # noqa: F401 - before whatever opens a descriptor
from shellwire.cli import importing  # before what takes its time

# isort: split

import click

from shellwire import __version__
from shellwire.cli.errors import Program
from shellwire.cli.lazy_group import LazyGroup

__all__ = ["main"]

COMMANDS = LazyGroup(
    {
        "start": "start.start_command",
        "run": "start.run_command",
        "stop": "stop.stop_command",
        "status": "status.status_command",
        "exec": "exec.exec_command",
        "cp": "files.cp.cp_command",
        "sync": "files.sync.sync_command",
        "shell": "shell.shell_command",
        "attach": "shell.attach_command",
        "jobs": "jobs.jobs_command",
        "kill": "jobs.kill_command",
        "logs": "jobs.logs_command",
        "login": "hosts.login_command",
        "logout": "hosts.logout_command",
        "hosts": "hosts.hosts_command",
        "whoami": "hosts.whoami_command",
        "token": "token.token_group",
        "clients": "clients.clients_group",
        "config": "config.config_group",
        "mcp": "mcp.mcp_command",
        "skill": "skill.skill_group",
        "completion": "completion.completion_command",
        "version": "version.version_command",
    }
)


@click.group(
    cls=Program, commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="shellwire", message="%(prog)s %(version)s")
def main() -> None:
    """A daemon that gives any WebSocket client a real shell on this machine, and a client of it.

    What it keeps is in ~/.shellwire, or in the directory that SHELLWIRE_HOME names.

    Exit codes: 0 done, 1 not done (one line says why), 2 bad options, 3 not running (status) or in
    conflict (sync), 255
    no connection. exec, shell and attach exit as the command did, with 128 + n if signal n killed
    it, and with 255 if they could not run or follow it.
    """


importing.end()
