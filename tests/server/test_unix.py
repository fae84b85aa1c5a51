"""The Unix socket: the peer's uid is the credential, and it takes no slot."""

from __future__ import annotations

import json
import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from tests.live import Daemon
from tests.server.observe import cli
from tests.server.raw import Raw

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_the_socket_is_private(daemon: Daemon) -> None:
    status = (daemon.home / "daemon.sock").stat()
    assert stat.S_ISSOCK(status.st_mode)
    assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o600, os.getuid())


@pytest.mark.parametrize("token", [None, "wrong", 7])
async def test_no_token_is_needed(daemon: Daemon, token: object) -> None:
    raw = await Raw.upgraded(daemon, local=True)
    raw.send({"type": "auth", "client_id": "trusted", "token": token})
    assert (await raw.receive())["client_id"] == "trusted"


async def test_the_rest_of_authentication_holds(daemon: Daemon) -> None:
    for message, code in (({"type": "ping"}, 4003), ({"type": "auth"}, 4004)):
        raw = await Raw.upgraded(daemon, local=True)
        raw.send(message)
        assert (await raw.closed())[0] == code


async def test_any_host_is_accepted(daemon: Daemon) -> None:
    raw = await Raw.open(daemon, local=True)
    assert (await raw.ask("/health", {"Host": "whatever.example"})).status == 200
    assert (await raw.upgrade(headers={"Host": "x", "Origin": "http://y"})).status == 101


async def test_the_socket_takes_no_slot_and_records_no_client(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon()
    local = await daemon.client("local", local=True)
    tcp = await daemon.client("tcp")
    another = await daemon.client("another", local=True)
    # The slot stays with "tcp", whatever clients use the socket.
    raw = await Raw.upgraded(daemon)
    raw.send(raw.auth(daemon, "local"))
    refused = await raw.receive()
    assert refused["code"] == "CLIENT_REJECTED"
    assert "tcp" in refused["message"]
    assert "--max-clients" in refused["message"]
    assert (await raw.closed())[0] == 4006
    connected = (await local.ask({"type": "list_clients"}))["clients"]
    assert [each["client_id"] for each in connected] == ["tcp"]
    assert json.loads((daemon.home / "clients.json").read_text()).keys() == {"tcp"}
    for client in (tcp, local, another):
        await client.close()


async def test_takeover_between_tcp_and_the_socket(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    tcp = await daemon.client("same")
    local = await daemon.client("same", local=True)
    assert (await tcp.closed())[0] == 4000
    again = await daemon.client("same")
    assert (await local.closed())[0] == 4000
    assert (await again.run("echo here")).out == "here\n"
    await again.close()


async def test_a_home_whose_path_is_too_long(tmp_path: Path) -> None:
    home = tmp_path / ("x" * 120) / "home"
    daemon = Daemon(home)
    try:
        status = (home / "daemon.sock").stat()
        assert (stat.S_ISSOCK(status.st_mode), stat.S_IMODE(status.st_mode)) == (True, 0o600)
        assert json.loads(cli(daemon, "clients", "list", "--json")) == []
    finally:
        daemon.stop()
    assert not (home / "daemon.sock").exists()


async def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(home / "daemon.sock"))
    daemon = Daemon(home)
    try:
        client = await daemon.client(local=True)
        assert (await client.run("echo hi")).out == "hi\n"
        await client.close()
    finally:
        daemon.stop()
    assert not (home / "daemon.sock").exists()
