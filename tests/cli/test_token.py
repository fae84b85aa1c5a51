"""``token``: shown alone, rotated at once."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.cli.command_line import SECONDS, unread

if TYPE_CHECKING:
    from tests.cli.command_line import CommandLine


def test_no_token_yet(cli: CommandLine) -> None:
    assert "no token" in cli.refused("token")
    assert "no token" in cli.refused("token", "show")
    assert not cli.home.root.exists()


@pytest.mark.parametrize("content", ["", "0" * 63, "no token"])
def test_a_malformed_token_is_not_reported_missing(cli: CommandLine, content: str) -> None:
    cli.home.ensure()
    cli.home.token_file.write_text(content)
    line = cli.refused("token")
    assert "auth.token is malformed" in line
    assert "token rotate` or the next start creates a new token" in line
    assert cli.home.token_file.read_text() == content


def test_rotate_prints_the_new_one_alone_and_show_repeats_it(cli: CommandLine) -> None:
    first = cli.ok("token", "rotate")
    assert re.fullmatch("[0-9a-f]{64}\n", first)
    assert cli.ok("token") == cli.ok("token", "show") == first
    assert cli.ok("token", "rotate") != first


def test_a_running_daemon_acts_at_once(cli: CommandLine) -> None:
    url = cli.start()["url"]
    old = cli.ok("token").strip()
    with cli.connected("a") as connection:
        new = cli.ok("token", "rotate").strip()
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(SECONDS)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
    with connect(url, proxy=None, open_timeout=SECONDS) as connection:
        connection.send(json.dumps({"type": "auth", "token": old, "client_id": "a"}))
        assert json.loads(connection.recv(SECONDS))["code"] == "INVALID_TOKEN"
    assert new != old
    with cli.connected("a"):
        pass


def test_it_takes_effect_if_printing_fails(cli: CommandLine) -> None:
    cli.start()
    with cli.connected("a") as connection:
        assert unread(cli, "token", "rotate") == 141
        with pytest.raises(ConnectionClosed, match="1008"):
            connection.recv(SECONDS)


def test_a_failed_reload_is_reported(cli: CommandLine) -> None:
    cli.start()
    cli.home.socket_file.unlink()
    done = cli("token", "rotate")
    assert done.returncode == 1
    assert done.stdout == cli.ok("token")
    assert done.stderr.startswith("Error: the change is stored, but the daemon did not reload")
    assert done.stderr.count("\n") == 1
