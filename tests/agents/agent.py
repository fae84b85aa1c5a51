"""An agent for tests: the official SDK's client, with a server started as agents start it."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

import shellwire
from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from concurrent.futures import Future
    from types import TracebackType

    from mcp_types import CallToolResult

T = TypeVar("T")
SECONDS = PATIENCE


def parameters(home: Path, cwd: Path, **env: str) -> StdioServerParameters:
    """Return the parameters that start the server for the daemon of ``home``."""
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "shellwire", "mcp"],
        cwd=cwd,
        env={
            "PYTHONPATH": str(Path(shellwire.__file__).parents[1]),
            "SHELLWIRE_GRACE": "0",
            "SHELLWIRE_HOME": str(home),
            "SHELLWIRE_LOGIN_ENV": "never",
            "SHELLWIRE_PORT": "0",
            **env,
        },
    )


class Agent:
    """An agent: ``with Agent(…) as agent: agent.call("run_command", command="pwd")``.

    The client runs on an event loop in a thread, so that many tests can share one server.
    """

    def __init__(self, server: StdioServerParameters, stderr: Path) -> None:
        self._server = server
        self._stderr = stderr
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._over = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        self.client: Client

    def __enter__(self) -> Agent:
        self._thread.start()
        ready: Future[None] = asyncio.run_coroutine_threadsafe(self._begin(), self._loop)
        ready.result(SECONDS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.begin(self._end()).result(SECONDS)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _begin(self) -> None:
        connected = asyncio.Event()
        self._life = asyncio.create_task(self._live(connected))
        waiting = asyncio.create_task(self._connected(connected))
        await asyncio.wait([self._life, waiting], return_when=asyncio.FIRST_COMPLETED)
        if self._life.done():
            waiting.cancel()
            await self._life

    @staticmethod
    async def _connected(connected: asyncio.Event) -> None:
        await connected.wait()

    async def _end(self) -> None:
        assert self._life is not None
        self._over.set()
        await self._life

    async def _live(self, connected: asyncio.Event) -> None:
        # One task for all of it: an anyio scope must be left by the task that entered it.
        with self._stderr.open("w") as stderr:
            async with Client(stdio_client(self._server, stderr)) as self.client:
                connected.set()
                await self._over.wait()

    def said(self) -> str:
        """Return what the server has written to stderr."""
        return self._stderr.read_text()

    def begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine of the client."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def begin_call(self, tool: str, **arguments: Any) -> Future[CallToolResult]:
        """Start a tool call; cancelling the future cancels the request."""
        return self.begin(self.client.call_tool(tool, arguments))

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool that succeeds; return its structured result."""
        done = self.begin_call(tool, **arguments).result(SECONDS)
        assert not done.is_error, done
        found: dict[str, Any] = done.structured_content
        return found

    def refused(self, tool: str, **arguments: Any) -> str:
        """Call a tool that fails; return its one-line error."""
        done = self.begin_call(tool, **arguments).result(SECONDS)
        assert done.is_error, done
        assert done.structured_content is None
        (content,) = done.content
        assert content.type == "text"
        assert "\n" not in content.text
        return content.text
