"""The command line: one module per command or group of commands."""

from __future__ import annotations

import shellwire.cli.descriptors  # noqa: F401 - before any import that opens a descriptor
from shellwire.cli import collection, early_sigint  # before the imports that take long

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
        "elevate": "elevate.elevate_command",
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
    """Run commands and shells through a WebSocket daemon.

    `start` starts the daemon on this machine. The other commands talk to it, or with -H to a daemon
    on another host (see `login`). Files of the daemon and of this program are in ~/.shellwire, or
    in the directory named by SHELLWIRE_HOME.

    \b
    Example:
      shellwire start --daemon
      shellwire exec 'echo hi'

    \b
    Exit codes:
      0        done
      1        not done; one line on stderr says why
      2        wrong options
      3        status: not running; sync and exec --with: conflict
      130      ended by Ctrl-C
      255      no connection
      exec, shell, attach: the command's own; 128 + n if signal n killed it;
               255 if the command could not be run or followed
    """


early_sigint.restore()
collection.restore()
