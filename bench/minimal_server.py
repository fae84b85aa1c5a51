"""The smallest server that runs commands for clients: a lower bound for the daemon's cost.

It uses what the daemon uses (aiohttp, asyncio, the same shells, the same report) and leaves out
everything else: protocol, ids, jobs, slots, output, changing state, journal, and the search for
processes that a command has left.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from bench.measure import (
    PACE,
    at_once,
    back_to_back,
    median,
    paced,
    pairs,
    ratio,
    spawn_bash,
    spawns_at_once,
)
from bench.websocket import WebSocket
from shellwire.jobs.engine import PAUSE
from shellwire.shell.bash import Bash
from shellwire.shell.context import initial_state
from shellwire.shell.launch import launch
from shellwire.shell.shell import Stdio

if TYPE_CHECKING:
    from bench.measure import Effort
    from shellwire.shell.shell import Shell

_CLIENTS = 4
_SPARES = 2


class MinimalServer:
    """A server that runs each text frame as a command and answers with its exit code."""

    def __init__(self) -> None:
        self._dialect = Bash("/bin/bash")
        self._state = initial_state(os.environb, "/")
        self._waiting: deque[Shell] = deque()
        self._pause: asyncio.TimerHandle | None = None
        self._last = b""

    def prepare(self) -> None:
        """Start shells until enough of them wait."""
        self._pause = None
        while len(self._waiting) < _SPARES:
            self._waiting.append(self._launch())

    def _launch(self) -> Shell:
        return launch(self._dialect, self._state, Stdio(), tag=b"bench", report=True)

    async def run(self, command: bytes) -> int:
        """Run ``command`` in a waiting shell, and start new shells when the daemon would."""
        loop = asyncio.get_running_loop()
        shell = self._waiting.popleft() if self._waiting else self._launch()
        shell.run(self._dialect.script(b"", command))
        if self._pause is not None:
            self._pause.cancel()
            loop.call_soon(self.prepare)
        pidfd = os.pidfd_open(shell.pid)
        ended = loop.create_future()
        loop.add_reader(pidfd, ended.set_result, None)
        await ended
        loop.remove_reader(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(shell.pid, 0)  # noqa: ASYNC222 - it has ended
        for output in shell.outputs.values():
            output.read(65536)
        report = shell.take_report().replace(shell.token, b"")
        if report != self._last:
            self._last = report
        shell.close()
        self._pause = loop.call_later(PAUSE, self.prepare)
        return os.waitstatus_to_exitcode(status)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Run the commands of one client."""
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        async for message in ws:
            if message.type is WSMsgType.TEXT:
                await ws.send_str(f'{{"exit_code":{await self.run(message.data.encode())}}}')
        return ws


def _run(client: WebSocket) -> None:
    client.send(b":")
    client.receive()


def measure(port: int, effort: Effort) -> dict[str, float]:
    """Return the time of a command and the rate of four clients, as ratios to bare spawns."""
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(WebSocket(port))) for _ in range(_CLIENTS)]
        acts = [lambda client=client: _run(client) for client in clients]
        run = acts[0]
        back_to_back(run, 50)
        each = effort.times(40)
        slow = pairs(
            lambda: median(paced(run, each, PACE)), lambda: median(paced(spawn_bash, each, PACE)), 6
        )
        each = effort.times(50)
        fast = pairs(lambda: back_to_back(run, each), lambda: back_to_back(spawn_bash, each), 10)
        each = effort.times(250, least=10)
        four = pairs(lambda: at_once(acts, each), lambda: spawns_at_once(2 * each), 3)
    return {"least_paced": ratio(slow), "least_fast": ratio(fast), "least_four": ratio(four)}
