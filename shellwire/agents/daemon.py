"""The daemon behind the tools: connected to on demand, and started if none runs."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import sys
import time
from typing import TYPE_CHECKING

from shellwire.client import Client
from shellwire.client.client import PATIENCE
from shellwire.errors import AlreadyRunning, NotRunning, StartError

if TYPE_CHECKING:
    from shellwire.client.endpoint import Endpoint
    from shellwire.client.results import Message
    from shellwire.home.paths import Home

LOCAL_PATIENCE = 1.0
"""Seconds of reconnecting to a local daemon before another one is started."""

START_SECONDS = 20.0
"""Seconds to wait for a daemon that another process is starting."""

_POLL = 0.05
_ALREADY = re.compile("already running|a daemon already runs")


class Daemon:
    """One client of one daemon, with a ``default`` context of its own."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._client = Client.at(
            endpoint,
            f"mcp-{secrets.token_hex(6)}",
            patience=PATIENCE if endpoint.home is None else LOCAL_PATIENCE,
        )
        self._instance: str | None = None
        self._connecting = asyncio.Lock()

    async def client(self) -> Client:
        """Return the connected client, starting a daemon if needed. Raises if that fails."""
        async with self._connecting:
            try:
                status = await self._client.status()
            except NotRunning:
                if self._endpoint.home is None:
                    raise
                status = await self._start_and_connect(self._endpoint.home)
            if status["instance"] != self._instance:
                await self._set_directory()
                self._instance = status["instance"]
        return self._client

    async def _start_and_connect(self, home: Home) -> Message:
        """Start a daemon, or wait for one that another process is starting; return its status."""
        failure = await _start(home)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return await self._client.status()
            except NotRunning as error:
                starts = isinstance(failure, AlreadyRunning) and time.monotonic() < deadline
                if not starts:
                    raise failure or error from None
            await asyncio.sleep(_POLL)  # nothing announces that it listens

    async def _set_directory(self) -> None:
        """Start commands in this process's directory: for an agent that is the project."""
        if self._endpoint.home is None:
            return  # a remote daemon does not have our directories
        try:
            cwd = os.getcwd()
        except FileNotFoundError:
            return
        await self._client.context().set(cwd=cwd)

    async def close(self) -> None:
        """Disconnect. Commands end; processes keep running."""
        await self._client.close()


async def _start(home: Home) -> StartError | None:
    """Run ``shellwire start --daemon``; return the error if it failed.

    It needs a process of its own: daemonizing forks, which is unsafe in a process with threads.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "shellwire", "start", "--daemon"),
            env={**os.environ, "SHELLWIRE_HOME": str(home.root)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,  # may contain the token
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        return StartError(f"no daemon runs, and none can be started: {error.strerror}")
    _, stderr = await process.communicate()
    if process.returncode == 0:
        return None
    said = stderr.decode(errors="replace").strip().splitlines()
    reason = said[-1].removeprefix("Error: ") if said else f"it exited {process.returncode}"
    # Recognized by its text: every failure has the same exit code.
    kind = AlreadyRunning if _ALREADY.match(reason) else StartError
    return kind(f"no daemon runs, and none can be started: {reason}")
