"""Loopback addresses, connectable addresses and URLs."""

from __future__ import annotations

import pytest

from shellwire.home.address import connectable, is_loopback, url


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.9.10", "::1", "localhost", "LocalHost", "::ffff:127.0.0.1"]
)
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "0.0.0.0", "::", "192.168.1.2", "8.8.8.8", "fe80::1", "::ffff:8.8.8.8", "example.com",
     "localhost.example.com", "127.0.0.1.example.com", "127.1", "2130706433"],
)  # fmt: skip
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_a_daemon_on_every_interface_is_reached_on_loopback() -> None:
    assert [connectable(host) for host in ("0.0.0.0", "::", "10.0.0.1")] == [
        "127.0.0.1",
        "::1",
        "10.0.0.1",
    ]


def test_urls() -> None:
    assert url("ws", "127.0.0.1", 7842) == "ws://127.0.0.1:7842"
    assert url("http", "::", 80) == "http://[::1]:80"
