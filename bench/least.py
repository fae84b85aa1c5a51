"""The least that could run commands for clients: a frame, a bash that waits, its end, a frame.

It stands on what the daemon stands on (aiohttp, asyncio, the same shells, the same report) and
leaves out all the rest: no protocol and no ids, no jobs, no slots, no output, no state that ever
changes, no journal, nobody who looks for what a command has left. What this takes ours can't do for
less.
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
from shellwire.shell.shell import Wiring

if TYPE_CHECKING:
    from bench.measure import Effort
    from shellwire.shell.shell import Shell

_CLIENTS = 4
_SPARES = 2


class Least:
    """Answers each text frame, a command, with its exit code."""

    def __init__(self) -> None:
        self._dialect = Bash("/bin/bash")
        self._state = initial_state(os.environb, "/")
        self._waiting: deque[Shell] = deque()
        self._pause: asyncio.TimerHandle | None = None
        self._last = b""

    def prepare(self) -> None:
        """Have shells wait."""
        self._pause = None
        while len(self._waiting) < _SPARES:
            self._waiting.append(self._launch())

    def _launch(self) -> Shell:
        return launch(self._dialect, self._state, Wiring(), tag=b"bench", report=True)

    async def run(self, command: bytes) -> int:
        """Run it in a shell that waits, while others are made ready as the daemon does it."""
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
            output.close()
        report = shell.take_report().replace(shell.token, b"")
        if report != self._last:
            self._last = report
        shell.close()
        self._pause = loop.call_later(PAUSE, self.prepare)
        return os.waitstatus_to_exitcode(status)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Run what one client asks for."""
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
    """Return how long a command takes, and how many run at once, as ratios to bare ones."""
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
