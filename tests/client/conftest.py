"""Clients of the shared daemon, and a check that asyncio reports no unhandled exception."""

from __future__ import annotations

import gc
import logging
from typing import TYPE_CHECKING

import pytest

from shellwire.client import Client
from tests.faults.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.live import Daemon


@pytest.fixture(autouse=True)
def no_complaints(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Fail a test if asyncio logs an exception that was never retrieved."""
    for name in ("URL", "TOKEN", "CLIENT_ID"):
        monkeypatch.delenv(f"SHELLWIRE_{name}", raising=False)
    yield
    gc.collect()
    complaints = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert [each.getMessage() for each in complaints] == []


@pytest.fixture
async def c(daemon: Daemon) -> AsyncIterator[Client]:
    """Yield a connected client."""
    async with Client(daemon.url, token=daemon.token) as c:
        yield c


@pytest.fixture
async def proxy(daemon: Daemon) -> AsyncIterator[Proxy]:
    """Yield a proxy in front of the shared daemon."""
    async with Proxy(daemon.url) as proxy:
        yield proxy


@pytest.fixture
async def through(daemon: Daemon, proxy: Proxy) -> AsyncIterator[Client]:
    """Yield a client connected through the proxy."""
    async with Client(proxy.url, token=daemon.token, ping_interval=2) as c:
        yield c
