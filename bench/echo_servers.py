"""Echo servers: the cost of the libraries that the daemon is built on, without its own code."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
import sys
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from bench import proc
from bench.minimal_server import MinimalServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def server(kind: str) -> Iterator[int]:
    """Start an echo server in its own process: tcp, frame, relay or least. Yield its port."""
    program = [sys.executable, "-m", "bench.echo_servers", kind]
    process = subprocess.Popen(program, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        proc.end(process)
        process.stdout.close()


class _Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


class _Relay(_Echo):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        subprocess.Popen(["cat"], stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        asyncio.get_running_loop().add_reader(self._master, self._typed)

    def data_received(self, data: bytes) -> None:
        os.write(self._master, data)

    def _typed(self) -> None:
        self._transport.write(os.read(self._master, 65536))


async def _frames(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(compress=False)
    await ws.prepare(request)
    async for message in ws:
        if message.type is WSMsgType.TEXT:
            await ws.send_str(message.data)
    return ws


async def _serve(kind: str) -> None:
    if kind in ("frame", "least"):
        app = web.Application()
        app.router.add_get("/ws", _frames if kind == "frame" else MinimalServer().serve)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(runner.addresses[0][1], flush=True)
    else:
        protocol = _Relay if kind == "relay" else _Echo
        server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
