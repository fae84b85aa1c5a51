"""A client that follows jobs through every disconnect (PROTOCOL.md), and checks each byte.

``python -m tests.faults.follow URL TOKEN CLIENT_ID COMMAND`` runs one command and prints the
outcome as a JSON object: for tests that stop a client with SIGSTOP, which takes a process.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sys
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import websockets
from websockets.asyncio.client import connect

from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.asyncio.client import ClientConnection

    from tests.faults.proxy import Proxy

Message = dict[str, Any]


@dataclass
class Ledger:
    """The output of one job: no byte twice, and none missing without a gap."""

    request: Message
    seen: int = 0
    streams: dict[str, bytearray] = field(
        default_factory=lambda: {"stdout": bytearray(), "stderr": bytearray()}
    )
    holes: list[tuple[int, int]] = field(default_factory=list)
    arrived: bool = False
    """Whether a message has arrived that proves that the daemon got the request."""
    last: Message | None = None
    """The terminal message."""
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def id(self) -> str:
        """The job's id."""
        return str(self.request["id"])

    def take(self, message: Message) -> None:
        """Record a message of this job."""
        kind = message["type"]
        self.arrived = True
        assert self.last is None or message.get("background"), message
        if kind == "output":
            data = base64.b64decode(message["data"])
            begin = message["end"] - len(data)
            assert begin == self.seen, f"{begin} comes after {self.seen}"
            self.streams[message["stream"]] += data
            self.seen = message["end"]
        elif kind == "gap":
            assert message["from"] == self.seen < message["to"], (message, self.seen)
            self.holes.append((message["from"], message["to"]))
            self.seen = message["to"]
        elif kind == "attached":
            assert message["after"] == self.seen, (message, self.seen)
        elif kind in ("result", "session_ended"):
            self.last = message
        self._moved.set()

    async def comes_to(self, count: int) -> None:
        """Return when so many bytes have arrived."""
        while self.seen < count:
            self._moved.clear()
            await self._moved.wait()

    def digest(self, stream: str = "stdout") -> str:
        """Return the SHA-256 of the received output."""
        return sha256(self.streams[stream]).hexdigest()


class Follower:
    """Runs commands on the daemon at ``url()`` and follows each to its end.

    When ``proxy`` has fallen silent, it reconnects without waiting for the connection to end.
    """

    def __init__(
        self, url: Callable[[], str], token: str, client_id: str, *, proxy: Proxy | None = None
    ) -> None:
        self.ledgers: dict[str, Ledger] = {}
        self.connections = 0
        """Connection attempts so far."""
        self._url = url
        self._auth = {"type": "auth", "token": token, "client_id": client_id, "protocol": 1}
        self._proxy = proxy

    def add(self, name: str, command: str, **fields: Any) -> Ledger:
        """Run a command, starting with the next connection; return its ledger."""
        request = {"type": "execute", "id": name, "command": command, "encoding": "base64"}
        self.ledgers[name] = Ledger({**request, "timeout": 0, **fields})
        return self.ledgers[name]

    def _waits_for(self) -> list[Ledger]:
        return [ledger for ledger in self.ledgers.values() if ledger.last is None]

    async def follow(self) -> None:
        """Return when every job has ended."""
        while self._waits_for():
            self.connections += 1
            with contextlib.suppress(OSError, websockets.InvalidHandshake, EOFError, TimeoutError):
                await self._until_broken(self._once())

    async def _until_broken(self, once: Any) -> None:
        serving = asyncio.create_task(once)
        broken = asyncio.create_task(self._broken())
        try:
            await asyncio.wait([serving, broken], return_when=asyncio.FIRST_COMPLETED)
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving
        finally:
            broken.cancel()

    async def _broken(self) -> None:
        if self._proxy is None:
            await asyncio.Event().wait()
        else:
            await self._proxy.silent.wait()
            self._proxy.silent.clear()

    async def _once(self) -> None:
        ws = await connect(
            self._url(), max_size=None, compression=None, proxy=None, open_timeout=PATIENCE
        )
        try:
            await self._serve(ws)
        except websockets.ConnectionClosed:
            pass
        finally:
            # Skip the closing handshake: it takes time.
            ws.transport.abort()

    async def _serve(self, ws: ClientConnection) -> None:
        await ws.send(json.dumps(self._auth))
        status = json.loads(await ws.recv())
        assert status["type"] == "status", status
        for ledger in self._waits_for():
            if ledger.arrived:
                await self._attach(ws, ledger)
            else:
                await ws.send(json.dumps(ledger.request))
        while self._waits_for():
            message = json.loads(await ws.recv())
            await self._take(ws, message)

    async def _take(self, ws: ClientConnection, message: Message) -> None:
        ledger = self.ledgers.get(message.get("id", ""))
        if ledger is None:
            return
        if message["type"] == "error":
            assert message["code"] == "DUPLICATE_ID", message
            ledger.arrived = True
            await self._attach(ws, ledger)
            return
        ledger.take(message)
        window = ledger.request.get("window")
        if window is not None and message["type"] == "output":
            await ws.send(json.dumps({"type": "credit", "id": ledger.id, "end": ledger.seen}))

    async def _attach(self, ws: ClientConnection, ledger: Ledger) -> None:
        attach: Message = {"type": "attach", "id": ledger.id, "after": ledger.seen}
        attach["encoding"] = "base64"
        if "window" in ledger.request:
            attach["window"] = ledger.request["window"]
        await ws.send(json.dumps(attach))


def _main(url: str, token: str, client_id: str, command: str) -> None:
    follower = Follower(lambda: url, token, client_id)
    ledger = follower.add("followed", command)
    asyncio.run(follower.follow())
    assert ledger.last is not None
    report = {
        "digest": ledger.digest(),
        "holes": ledger.holes,
        "connections": follower.connections,
        "reason": ledger.last["reason"],
    }
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    _main(*sys.argv[1:])
