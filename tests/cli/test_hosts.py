"""Logging in and out of daemons elsewhere."""

from __future__ import annotations

import json
import os
import pwd
import stat
from typing import TYPE_CHECKING

import pytest

from tests.cli.command_line import CommandLine, as_text
from tests.cli.terminal import Terminal

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.live import Daemon

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


@pytest.fixture
def away(tmp_path: Path) -> CommandLine:
    """Return a command line in a home where no daemon runs."""
    return CommandLine(tmp_path / "away")


def login(cli: CommandLine, url: str, token: str) -> subprocess.CompletedProcess[str]:
    """Log in as a script does."""
    return as_text(cli.in_bytes("login", "box", url, stdin=token.encode()))


@pytest.mark.long
def test_login_and_logout(away: CommandLine, daemon: Daemon) -> None:
    assert away.ok("hosts") == "no saved hosts\n"
    done = login(away, daemon.url, f"{daemon.token}\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"saved host box: {daemon.url}/ws (shellwire ")
    assert stat.S_IMODE(away.home.hosts_file.stat().st_mode) == 0o600
    assert away.ok("exec", "-H", "box", "echo there") == "there\n"
    assert json.loads(away.ok("hosts", "--json")) == [{"name": "box", "url": f"{daemon.url}/ws"}]
    assert "box   ws://" in away.ok("hosts")
    found = json.loads(away.ok("whoami", "-H", "box", "--json"))
    assert (found["host"], found["address"]) == ("box", f"{daemon.url}/ws")
    jobs = away.ok("jobs", "-H", "box")
    user = pwd.getpwuid(os.getuid()).pw_name
    who = away.ok("whoami", "-H", "box")
    assert who.startswith(f"{user} at {daemon.url}/ws (box), shellwire ")
    assert away.ok("jobs", "-H", "box") == jobs  # `jobs` and `whoami` leave no job behind
    assert away.ok("logout", "box") == "forgot host box\n"
    assert away.refused("logout", "box") == "Error: no host 'box' is saved\n"
    assert "no host 'box'" in away.refused("jobs", "-H", "box", code=255)


@pytest.mark.long
def test_a_host_and_a_port_are_an_address(away: CommandLine, daemon: Daemon) -> None:
    place = daemon.url.removeprefix("ws://")
    done = login(away, place, daemon.token)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(away.ok("hosts", "--json")) == [{"name": "box", "url": f"{daemon.url}/ws"}]
    away.ok("exec", "-H", "box", "true")
    for other in ("[::1]:1", "127.0.0.1:1/ws", "localhost:1"):
        assert "can't be reached: Connection refused" in login(away, other, "x").stderr
    for other in ("localhost", "localhost:port", "u@localhost:1", "ftp://localhost:1", ":1"):
        assert "expected a URL as ws://host:7842" in login(away, other, "x").stderr, other


def test_a_token_is_typed_unseen(away: CommandLine, daemon: Daemon) -> None:
    with Terminal(away, "login", "box", daemon.url) as terminal:
        terminal.sees(f"Token of {daemon.url}/ws: ")
        terminal.type(f"{daemon.token}\r")
        assert terminal.exits() == 0
        assert b"saved host box" in terminal.rest
        assert daemon.token.encode() not in terminal.rest


def test_refused_logins_are_not_saved(away: CommandLine, daemon: Daemon) -> None:
    done = login(away, daemon.url, "wrong")
    assert (done.returncode, done.stderr) == (255, "Error: the token is missing or wrong\n")
    done = login(away, "ws://127.0.0.1:1", "x")
    assert (done.returncode, done.stderr.count("\n")) == (255, 1)
    done = login(away, daemon.url, "")
    assert done.returncode == 2
    assert "no token given" in done.stderr
    assert not away.home.hosts_file.exists()


@pytest.mark.parametrize("words", [("a/b", "ws://a"), ("-x", "ws://a"), ("a", "nonsense"), ("a",)])
def test_usage(away: CommandLine, words: tuple[str, ...]) -> None:
    away.refused("login", *words, code=2)


def test_plaintext_is_warned_of(away: CommandLine) -> None:
    done = login(away, "ws://host.invalid", "x")
    assert done.returncode == 255
    warning, error = done.stderr.splitlines()
    assert warning.startswith("Warning: the connection to host.invalid is not encrypted")
    assert error.startswith("Error: ws://host.invalid/ws can't be reached: ")


def test_a_damaged_hosts_file_is_reported(away: CommandLine) -> None:
    away.home.ensure()
    away.home.hosts_file.write_text("x")
    assert "is damaged" in away.refused("hosts")
