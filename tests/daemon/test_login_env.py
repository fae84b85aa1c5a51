"""A daemon started with a bare environment, and one started with a full one."""

from __future__ import annotations

import json
import os
import pwd
import signal
from typing import TYPE_CHECKING

import pytest

from tests.cli.command_line import SECONDS, CommandLine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROFILE = """
echo noise
export FROM_PROFILE=taken LANG=not-taken SECRET=hunter2
PATH="$HOME/bin:$PATH"; export PATH
: >"$HOME/was-run"
"""


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    """Yield a command line in a bare environment, for a user whose profile is PROFILE."""
    shell = pwd.getpwuid(os.getuid()).pw_shell
    if os.path.basename(shell) not in ("bash", "sh", "dash", "zsh"):
        pytest.skip(f"the login shell here is {shell}")
    for name in (".bash_profile", ".profile", ".zprofile"):
        (tmp_path / name).write_text(PROFILE)
    cli = CommandLine(tmp_path / "home")
    cli.environment = {
        name: value
        for name, value in cli.environment.items()
        if name in ("SHELLWIRE_HOME", "PYTHONPATH")
    }
    cli.environment |= {"HOME": str(tmp_path), "LANG": "C", "PATH": "/usr/bin:/bin"}
    yield cli
    cli.end_daemon()


def seen(cli: CommandLine) -> list[str]:
    """Return the variables of the profile, as a command of the daemon sees them."""
    with cli.connected("a") as connection:
        command = 'printf "%s|" "$FROM_PROFILE" "$LANG" "$PATH" "${SHLVL-}"'
        message = {"type": "execute", "id": "1", "command": command, "collect": True}
        connection.send(json.dumps(message))
        output = ""
        while (answer := json.loads(connection.recv(SECONDS)))["type"] == "output":
            output += answer["data"]
    return (output or answer["stdout"]).split("|")


def run(cli: CommandLine, command: str) -> str:
    """Return the stdout of a command."""
    with cli.connected("a") as connection:
        message = {"type": "execute", "id": command, "command": command, "collect": True}
        connection.send(json.dumps(message))
        answer = json.loads(connection.recv(SECONDS))
        return str(answer["stdout"])


@pytest.mark.needs("/proc")
def test_a_process_of_the_profile_is_no_jobs(cli: CommandLine, tmp_path: Path) -> None:
    """It has no parents, session or tag of a job; the first command is not to end it."""
    pid = tmp_path / "pid"
    profile = f"env -i setsid -f sh -c 'echo $$ >{pid}; exec sleep 1000' >/dev/null 2>&1\n"
    for name in (".bash_profile", ".profile", ".zprofile"):
        (tmp_path / name).write_text(PROFILE + profile)
    cli.start("--grace", "0")
    assert run(cli, "echo first") == "first\n"
    number = int(pid.read_text())
    with cli.connected("a") as connection:
        connection.send(json.dumps({"type": "list_jobs", "request_id": "jobs"}))
        (job,) = json.loads(connection.recv(SECONDS))["jobs"]
    assert (job["state"], job["pids"]) == ("ended", [])
    os.kill(number, 0)
    os.kill(number, signal.SIGKILL)


def log_of(cli: CommandLine) -> str:
    return cli.home.log_file.read_text()


def test_a_bare_start_takes_the_login_shells_environment(cli: CommandLine, tmp_path: Path) -> None:
    cli.start()
    taken, lang, path, *_ = seen(cli)
    assert (taken, lang) == ("taken", "C")
    assert path.split(":")[0] == str(tmp_path / "bin")
    assert {"/usr/bin", "/bin"} <= set(path.split(":"))
    (line,) = [line for line in log_of(cli).splitlines() if "login shell" in line]
    assert "FROM_PROFILE" in line
    assert "PATH" in line
    assert "LANG" not in line
    assert "hunter2" not in log_of(cli)


@pytest.mark.parametrize(
    ("flags", "path", "asked"),
    [
        (["--login-env", "never"], "/usr/bin:/bin", False),
        ([], "/opt/own/bin:/usr/bin:/bin", False),
        (["--login-env", "always"], "/opt/own/bin:/usr/bin:/bin", True),
    ],
)
def test_otherwise_the_login_shell_is_not_run(
    cli: CommandLine, tmp_path: Path, flags: list[str], path: str, asked: bool
) -> None:
    cli.environment["PATH"] = path
    cli.start(*flags)
    assert (tmp_path / "was-run").exists() == asked
    assert seen(cli)[0] == ("taken" if asked else "")
    assert ("login shell" in log_of(cli)) == asked


def test_a_failing_profile_is_logged(cli: CommandLine, tmp_path: Path) -> None:
    for name in (".bash_profile", ".profile", ".zprofile"):
        (tmp_path / name).write_text("exit 3\n")
    cli.start()
    assert seen(cli)[2] == "/usr/bin:/bin"
    (line,) = [line for line in log_of(cli).splitlines() if "login shell" in line]
    assert "WARNING" in line
    assert "exit code 3" in line
