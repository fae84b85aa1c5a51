"""The MCP server on stdin and stdout: adapts the tools to the SDK.

Only this module knows the SDK. It is an optional extra, so it is imported on use.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from shellwire import __version__
from shellwire.agents.arguments import parse, schema
from shellwire.agents.daemon import Daemon
from shellwire.agents.guide import GUIDE
from shellwire.agents.table import TOOLS
from shellwire.errors import ShellwireError, WireError
from shellwire.output import printable
from shellwire.protocol.text_bytes import without_surrogates

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from mcp.server.lowlevel import Server as SdkServer
    from mcp_types import (
        CallToolRequestParams,
        CallToolResult,
        ListToolsResult,
        PaginatedRequestParams,
    )
    from mcp_types import Tool as SdkTool

    from shellwire.agents.progress import Report
    from shellwire.agents.table import Tool
    from shellwire.client.endpoint import Endpoint

    Context = ServerRequestContext[dict[str, Any], Any]

_log = logging.getLogger(__name__)


async def serve(endpoint: Endpoint) -> None:
    """Serve until stdin ends. Running commands are ended then; processes keep running."""
    from mcp.server.stdio import stdio_server

    server = Server(Daemon(endpoint))
    server.end_on_signals()
    try:
        async with stdio_server() as (reader, writer):
            sdk = server.sdk()
            await sdk.run(reader, writer, sdk.create_initialization_options())
    finally:
        await server.close()


class Server:
    """The handlers of MCP requests."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._tasks: set[asyncio.Task[Any]] = set()

    def sdk(self) -> SdkServer[dict[str, Any]]:
        """Return an SDK server that calls this object's handlers."""
        from mcp.server.lowlevel import Server as SdkServer

        return SdkServer(
            "shellwire",
            version=__version__,
            title="shellwire",
            instructions=GUIDE,
            on_list_tools=self._list,
            on_call_tool=self._call,
        )

    async def close(self) -> None:
        """Cancel running tool calls and disconnect."""
        for task in self._tasks:
            task.cancel()
        await self._daemon.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _list(
        self, context: Context, params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        from mcp_types import ListToolsResult

        return ListToolsResult(tools=[_described(tool) for tool in TOOLS.values()])

    async def _call(self, context: Context, params: CallToolRequestParams) -> CallToolResult:
        from mcp.shared.exceptions import MCPError
        from mcp_types import INVALID_PARAMS, CallToolResult, TextContent

        tool = TOOLS.get(params.name)
        if tool is None:
            raise MCPError(code=INVALID_PARAMS, message=f"Unknown tool: {printable(params.name)}")
        try:
            result = await self._in_own_task(
                self._run_tool(tool, params.arguments, _reporter(context))
            )
        except ShellwireError as error:
            text = f"{error.code}: {error}" if isinstance(error, WireError) else str(error)
        except Exception as error:
            _log.exception("unexpected, in %s", tool.name)
            text = f"INTERNAL_ERROR: unexpected {type(error).__name__}: {error}"
        else:
            given = without_surrogates(msgspec.to_builtins(result))
            text = json.dumps(given, ensure_ascii=False)
            return CallToolResult(
                content=[TextContent(type="text", text=text)], structured_content=given
            )
        return CallToolResult(
            content=[TextContent(type="text", text=printable(text))], is_error=True
        )

    async def _run_tool(
        self, tool: Tool, given: dict[str, Any] | None, report: Report | None
    ) -> msgspec.Struct:
        return await tool.run(self._daemon, parse(tool.arguments_type, given), report)

    async def _in_own_task(self, work: Any) -> Any:
        """Run a coroutine in a task of its own, which is cancelled once if this call is.

        The SDK cancels as anyio does, again at each ``await``, so cleanup would never complete.
        """
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            raise

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # mark it retrieved: the caller has it, or has gone

    def end_on_signals(self) -> None:
        """On SIGTERM and SIGINT close as at the end of stdin, then die by the signal.

        Returning is not enough: a thread of the SDK waits for stdin and can't be woken.
        """
        if sys.platform == "win32":
            return  # asyncio has no signal handlers there
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._close_and_die, number)

    def _close_and_die(self, number: signal.Signals) -> None:
        ending = asyncio.create_task(self.close())
        ending.add_done_callback(lambda _: _die_by(number))


def _die_by(number: signal.Signals) -> None:
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _described(tool: Tool) -> SdkTool:
    from mcp_types import Tool as SdkTool
    from mcp_types import ToolAnnotations

    return SdkTool(
        name=tool.name,
        title=tool.name.replace("_", " ").capitalize(),
        description=tool.description,
        input_schema=schema(tool.arguments_type),
        output_schema=schema(tool.result_type),
        annotations=ToolAnnotations(
            read_only_hint=tool.effect == "reads",
            destructive_hint=tool.effect == "destroys",
            # A shell can reach anything.
            open_world_hint=tool.effect == "destroys",
        ),
    )


def _reporter(context: Context) -> Report | None:
    """Return a progress callback, if the MCP client asked for progress."""
    if (context.meta or {}).get("progress_token") is None:
        return None

    async def report(seconds: float, doing: str) -> None:
        await context.session.report_progress(seconds, None, doing)

    return report
