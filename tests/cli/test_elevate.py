"""``elevate``, ``clients kick`` and ``kill --reason``."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed

from shellwire.home.hosts import Host, save_host
from tests.cli.command_line import SECONDS, CommandLine, ended

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

REASON = "INC-123: disk full"


def away(cli: CommandLine, directory: Path, name: str, *words: str) -> CommandLine:
    """Create a token; return a command line that knows the daemon as ``box`` with it."""
    done = cli("token", "create", name, *words)
    assert done.returncode == 0, done
    other = CommandLine(directory / name)
    save_host(other.home, "box", Host(f"{cli.status()['url']}/ws", done.stdout.strip()))
    return other


def begun(cli: CommandLine, *words: str) -> subprocess.Popen[str]:
    """Start a command that prints a line; return it once it has."""
    process = cli.begin(*words, stdout=-1, stderr=-1)
    assert process.stdout is not None
    assert process.stdout.readline() == "on\n"
    return process


@pytest.mark.long
def test_elevate(cli: CommandLine, tmp_path: Path) -> None:
    cli.start()
    ann = away(cli, tmp_path, "ann", "--role", "operator", "--may-elevate", "admin:1h")
    assert ann.refused("token", "list", "-H", "box") == (
        "Error: your role, operator, does not allow `token list`"
        " (the role operator may not send list_tokens)\n"
    )
    said = ann.ok("elevate", "-H", "box", "--reason", REASON, "--ttl", "10m")
    assert said.startswith("elevated to admin until ")
    # Later connections of the credential are raised, too, and marked.
    assert "ann" in ann.ok("token", "list", "-H", "box")
    who = json.loads(ann.ok("whoami", "-H", "box", "--json"))
    assert who["role"] == "admin"
    assert time.time() < who["elevated_until"] <= time.time() + 600
    assert "as ann (admin until " in ann.ok("whoami", "-H", "box")
    ann.ok("exec", "-H", "box", "true")
    assert "exited 0, elevated" in ann.ok("jobs", "-H", "box")
    assert "exited 0, elevated" in cli.ok("jobs")
    assert f"ann (token ann) is admin until {time.strftime('%Y')}" in cli.ok("status")
    assert REASON in cli.ok("status")
    assert cli.status()["elevated"][0]["reason"] == REASON
    for words, line in (
        (("--ttl", "2h"), "this credential may be raised for 3600 s"),
        (("--ttl", "10m", "--reason", "short"), "reason: expected a string of length >= 8"),
    ):
        given = words if "--reason" in words else (*words, "--reason", REASON)
        assert line in ann.refused("elevate", "-H", "box", *given)


def test_who_may_not(cli: CommandLine, tmp_path: Path) -> None:
    cli.start()
    bob = away(cli, tmp_path, "bob", "--role", "operator")
    line = bob.refused("elevate", "-H", "box", "--reason", REASON)
    assert "this credential may not be raised" in line
    assert "the owner needs no elevation" in cli.refused("elevate", "--reason", REASON)


@pytest.mark.long
def test_kick(cli: CommandLine, tmp_path: Path) -> None:
    cli.start()
    with cli.connected("phone") as phone:
        assert cli.ok("clients", "kick", "phone", "--for", "10m", "--reason", "floods") == (
            "kicked client phone\n"
        )
        with pytest.raises(ConnectionClosed) as closed:
            phone.recv(SECONDS)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4009, "floods (by owner)")
    with pytest.raises(AssertionError, match="is barred until"), cli.connected("phone"):
        pass
    assert "barred until 2" in cli.ok("clients", "list")
    # An admin away from the machine, and whom he may not kick.
    ann = away(cli, tmp_path, "ann", "--role", "admin")
    line = ann.refused("clients", "kick", "-H", "box", "o", "--principal", "owner", "--reason", "x")
    assert "may not kick a client of the owner" in line
    cli.ok("clients", "restore", "phone")
    with cli.connected("phone"):
        pass
    assert "not revoked or barred" in cli.refused("clients", "restore", "phone")


@pytest.mark.long
def test_a_kicked_command_does_not_reconnect(cli: CommandLine) -> None:
    cli.start()
    with ended(begun(cli, "exec", "--name", "job", "echo on; exec sleep 600")) as process:
        (job,) = json.loads(cli.ok("jobs", "--json"))
        cli.ok("clients", "kick", job["client_id"], "--reason", "tidy up", "--end-jobs")
        out, err = process.communicate(timeout=SECONDS)
        assert process.returncode == 255
        assert out == ""
        assert err == "Error: kicked: tidy up (by owner)\n"


@pytest.mark.long
def test_a_credential_that_ends_during_a_command(cli: CommandLine, tmp_path: Path) -> None:
    """The line tells that the job runs on, which it does."""
    cli.start()
    for name, words, why in (
        ("ann", (), "1008 the token was revoked"),
        ("bob", ("--ttl", "9s"), "4008 the credential has expired"),
    ):
        other = away(cli, tmp_path, name, "--role", "operator", *words)
        job = ("exec", "-H", "box", "--name", name, "echo on; exec sleep 600")
        with ended(begun(other, *job)) as process:
            (found,) = [
                each for each in json.loads(cli.ok("jobs", "--json")) if each["name"] == name
            ]
            if not words:
                cli.ok("token", "revoke", name)
            _, err = process.communicate(timeout=SECONDS)
        assert process.returncode == 255
        assert err.endswith(f" closed the connection ({why}); job {found['id']} runs on\n")
        assert err.count("\n") == 1
        cli.ok("kill", name)  # an error if it has ended


@pytest.mark.long
def test_kill_with_a_reason(cli: CommandLine, tmp_path: Path) -> None:
    cli.start()
    alice = away(cli, tmp_path, "alice", "--role", "operator")
    command = ("exec", "-H", "box", "--name", "job", "echo on; sleep 600")
    with ended(begun(alice, *command)) as process, ended(begun(cli, "logs", "-f", "job")) as logs:
        head, row = cli.ok("jobs").splitlines()
        assert (head.split()[2], row.split()[2]) == ("PRINCIPAL", "alice")
        assert "PRINCIPAL" not in alice.ok("jobs", "-H", "box")
        cli.ok("kill", "job", "--reason", "wrong \x1b[2Jhost")
        _, err = process.communicate(timeout=SECONDS)
        assert process.returncode == 128 + 15
        why = "shellwire: killed by owner: wrong \\x1b[2Jhost\n"
        assert err == why
        assert logs.communicate(timeout=SECONDS) == ("", why)
        assert logs.returncode == 0
    for words in ((), ("-f",), ("--tail", "1")):
        done = cli("logs", *words, "job")
        assert (done.returncode, done.stdout, done.stderr) == (0, "on\n", why), words
    assert cli("exec", "--name", "quiet", "exit 3").returncode == 3
    assert cli("logs", "quiet").stderr == ""
    assert "reason: expected a string of length <= 200" in cli.refused(
        "kill", "job", "--reason", "x" * 201
    )
