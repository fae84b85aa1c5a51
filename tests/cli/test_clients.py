"""``clients``: list, revoke and restore clients."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.cli.command_line import SECONDS, unread

if TYPE_CHECKING:
    from tests.cli.command_line import CommandLine


def listed(cli: CommandLine) -> dict[str, dict[str, Any]]:
    """Return the entries by client_id."""
    entries = json.loads(cli.ok("clients", "list", "--json"))
    keys = {"client_id", "first_seen", "last_seen", "is_revoked", "is_connected"}
    assert all(set(entry) == keys for entry in entries)
    return {entry["client_id"]: entry for entry in entries}


def test_no_clients_yet(cli: CommandLine) -> None:
    assert listed(cli) == {}
    assert cli.ok("clients", "list") == "no clients yet\n"
    assert not cli.home.root.exists()


@pytest.mark.long
def test_revoke_and_restore_without_a_daemon(cli: CommandLine) -> None:
    stranger = {"first_seen": None, "last_seen": None, "is_connected": False}
    cli.ok("clients", "revoke", "nobody")
    revoked = {"client_id": "nobody", **stranger, "is_revoked": True}
    assert listed(cli)["nobody"] == revoked
    assert cli.ok("clients", "list").splitlines()[1].split() == ["nobody", "revoked", "-", "-"]
    cli.ok("clients", "restore", "nobody")
    assert listed(cli)["nobody"] == {**revoked, "is_revoked": False}
    cli.start()
    assert listed(cli)["nobody"] == {**revoked, "is_revoked": False}
    cli.ok("clients", "revoke", "nobody")
    assert listed(cli)["nobody"] == revoked
    cli.ok("clients", "restore", "nobody")
    assert "is not revoked" in cli.refused("clients", "restore", "nobody")
    assert "is not revoked" in cli.refused("clients", "restore", "stranger")


@pytest.mark.parametrize("command", ["revoke", "restore"])
def test_impossible_client_ids_are_refused(cli: CommandLine, command: str) -> None:
    for wrong in ("", "x" * 129, "\udcff"):
        assert "a client_id" in cli.refused("clients", command, wrong, code=2)
    assert not cli.home.root.exists()
    assert cli("clients", command, "é" * 128).returncode == (0 if command == "revoke" else 1)


@pytest.mark.long
def test_last_seen_is_now_and_then_the_time_of_leaving(cli: CommandLine) -> None:
    cli.start()
    with cli.connected("a"):
        first = listed(cli)["a"]
        second = listed(cli)["a"]
        assert first["first_seen"] <= first["last_seen"] < second["last_seen"]
        before = time.time()
    while (after := listed(cli)["a"])["is_connected"]:
        pass
    assert before <= after["last_seen"] <= time.time()
    assert after["first_seen"] == first["first_seen"]
    assert listed(cli)["a"] == after
    cli.ok("stop")
    assert listed(cli)["a"] == after


@pytest.mark.long
def test_a_revocation_ends_the_connection_and_lasts(cli: CommandLine) -> None:
    cli.start()
    with cli.connected("a") as connection:
        assert listed(cli)["a"]["is_connected"]
        cli.ok("clients", "revoke", "a")
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(SECONDS)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
    for _ in range(2):
        with pytest.raises(AssertionError, match="CLIENT_REJECTED"), cli.connected("a"):
            pass
        cli.ok("stop")
        assert listed(cli)["a"]["is_revoked"]
        cli.start()
    cli.ok("clients", "restore", "a")
    with cli.connected("a"):
        pass


def test_it_takes_effect_if_printing_fails(cli: CommandLine) -> None:
    cli.start()
    with cli.connected("a") as connection:
        assert unread(cli, "clients", "revoke", "a") == 141
        with pytest.raises(ConnectionClosed, match="1008"):
            connection.recv(SECONDS)
    assert unread(cli, "clients", "restore", "a") == 141
    with cli.connected("a"):
        pass


def test_the_command_line_itself_is_no_client(cli: CommandLine) -> None:
    cli.start()
    assert listed(cli) == {}
    assert listed(cli) == {}


def test_a_known_client_is_listed_after_a_stop(cli: CommandLine) -> None:
    cli.start()
    with cli.connected("a"):
        live = listed(cli)["a"]
    cli.ok("stop")
    stopped = listed(cli)["a"]
    assert live["is_connected"]
    assert not stopped["is_connected"]
    assert stopped["first_seen"] == live["first_seen"]


def test_a_strange_name_cannot_command_the_terminal(cli: CommandLine) -> None:
    cli.ok("clients", "revoke", "a\x1b[2J\nb")
    assert "\x1b" not in cli.ok("clients", "list")
    assert len(cli.ok("clients", "list").splitlines()) == 2
    assert listed(cli)["a\x1b[2J\nb"]["is_revoked"]


def test_a_damaged_file_is_reported_and_kept(cli: CommandLine) -> None:
    cli.home.ensure()
    cli.home.clients_file.write_text("{")
    for command in (["list"], ["revoke", "a"], ["restore", "a"]):
        assert "is damaged" in cli.refused("clients", *command)
    assert cli.home.clients_file.read_text() == "{"


def test_a_failed_reload_is_reported(cli: CommandLine) -> None:
    cli.start()
    cli.home.socket_file.unlink()
    done = cli("clients", "revoke", "a")
    assert done.returncode == 1
    assert "the change is stored, but the daemon did not reload" in done.stderr
    assert "No such file" in cli.refused("clients", "list")
