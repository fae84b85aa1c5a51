"""terminado: Jupyter's terminals over a WebSocket. It knows terminals, not commands."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from bench import proc
from bench.peers.environment import Environment
from bench.peers.peer import Peer, require_bytes
from bench.websocket import WebSocket

_SERVER = Path(__file__).parent / "inside" / "terminado_server.py"
_HEAD, _TAIL = b'["stdout", "', b'"]'


class Terminado(Peer):
    """A TermSocket on a loopback port, with one terminal for each connection."""

    name = "terminado"

    def __init__(self) -> None:
        self._environment = Environment("terminado")
        self._environment.make()
        self._server: subprocess.Popen[bytes] | None = None
        self._kept: list[_Terminal] = []

    def start(self) -> None:
        self._server = subprocess.Popen(
            [self._environment.program("python"), str(_SERVER)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._server.stdout
        self._port = int(self._server.stdout.readline())
        self._open().close()

    def _open(self) -> _Terminal:
        terminal = _Terminal(self._port)
        self._kept.append(terminal)
        return terminal

    def close(self) -> None:
        for terminal in self._kept:
            terminal.close()
        if self._server:
            proc.end(self._server)
            assert self._server.stdout
            self._server.stdout.close()
            self._server = None

    def version(self) -> str:
        return self._environment.version("terminado")

    def pids(self) -> list[int]:
        assert self._server
        return [self._server.pid]

    def terminal(self, command: str, size: int) -> float:
        terminal = self._open()
        before, begun = terminal.ws.received, time.perf_counter()
        terminal.type(f'{command}; echo do""ne\r')
        terminal.until(b"done")
        took = time.perf_counter() - begun
        require_bytes(terminal.ws.received - before, size)
        terminal.close()
        return took

    def keys(self) -> _Keys:
        terminal = self._open()
        terminal.type('stty raw -echo; echo re""ady; exec cat\r')
        terminal.until(b"ready")
        return _Keys(terminal)

    def flood(self) -> None:
        for _ in range(2):
            self._open().type("yes\r")


class _Terminal:
    """A connection whose shell does not echo input."""

    def __init__(self, port: int) -> None:
        self.ws = WebSocket(port)
        self.type('stty -echo; echo re""ady\r')
        self.until(b"ready")

    def type(self, text: str) -> None:
        self.ws.send(json.dumps(["stdin", text]).encode())

    def until(self, text: bytes) -> None:
        """Read until ``text`` has arrived, in one message or across two."""
        tail = b""
        while True:
            message = self.ws.receive()
            if text in message[-200:] or text in tail + message[len(_HEAD) : 200]:
                return
            tail = message[-20 : -len(_TAIL)]

    def close(self) -> None:
        self.ws.close()


class _Keys:
    def __init__(self, terminal: _Terminal) -> None:
        self._terminal = terminal

    def press(self) -> None:
        self._terminal.type("x")
        self._terminal.until(b'"x"')
