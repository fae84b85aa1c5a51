"""A daemon of this checkout, and a client that drives it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bench import proc
from bench.websocket import WebSocket

if TYPE_CHECKING:
    from collections.abc import Sequence

Message = dict[str, Any]

FLAGS: list[str] = []
"""Options to add to each started daemon: ``--flags`` of the command line."""


class Server(Protocol):
    """A running daemon."""

    pid: int
    port: int
    token: str

    def close(self) -> None:
        """Stop it."""


class Daemon:
    """A daemon in its own process and its own temporary home.

    ``program`` is the command that runs it; by default the unchanged daemon of this checkout.
    """

    def __init__(self, program: Sequence[str] = (sys.executable, "-m", "shellwire", "run")) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="shellwire-bench-")
        self.home = home = Path(self._directory.name)
        env = {name: text for name, text in os.environ.items() if not name.startswith("SHELLWIRE_")}
        self.process = subprocess.Popen(
            [*program, "--port", "0", "--max-clients", "64", *FLAGS],
            env={**env, "SHELLWIRE_HOME": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.pid = self.process.pid
        try:
            assert self.process.stdout is not None
            if not self.process.stdout.readline():
                raise RuntimeError("the daemon did not start")
            self.port: int = json.loads((home / "daemon.pid").read_text())["port"]
            self.token = (home / "auth.token").read_text().strip()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop the daemon, and remove its home."""
        proc.end(self.process)
        if self.process.stdout:
            self.process.stdout.close()
        self._directory.cleanup()

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Client:
    """One authenticated connection."""

    def __init__(self, server: Server, name: str = "bench") -> None:
        self._ws = WebSocket(server.port)
        self.send({"type": "auth", "token": server.token, "client_id": name})
        self.status = self.receive()
        """The daemon's ``status`` message."""
        if self.status["type"] != "status":
            raise ConnectionError(self.status.get("message", self.status["type"]))

    def send(self, message: Message) -> None:
        """Send one message."""
        self._ws.send(json.dumps(message).encode())

    @property
    def received(self) -> int:
        """Bytes of messages received."""
        return self._ws.received

    def receive_raw(self) -> bytes:
        """Return the next message, unparsed."""
        return self._ws.receive()

    def skip_message(self) -> bytes:
        """Return the first frame of the next message: keeping all of a long one takes time."""
        return self._ws.receive(whole=False)

    def receive(self) -> Message:
        """Return the next message."""
        message: Message = json.loads(self.receive_raw())
        return message

    def run(self, job: str, command: str, **fields: Any) -> Message:
        """Run a command and return its result; ignore its output.

        Raises:
            RuntimeError: the command could not be run.
        """
        self.send({"type": "execute", "id": job, "command": command, **fields})
        return self.await_type(b"result")

    def await_type(self, kind: bytes) -> Message:
        """Return the next message of this type, without parsing those before it.

        Raises:
            RuntimeError: an error arrived.
        """
        # The type is at the head of this release's messages, at the tail in release 0.1.4.
        wanted = (b'"type":"%b"' % kind, b'"type":"error"')
        while True:
            raw = self.receive_raw()
            head, tail = raw[:160], raw[-40:]
            if any(each in head or each in tail for each in wanted):
                message: Message = json.loads(raw)
                if message["type"] == "error":
                    raise RuntimeError(message["message"])
                return message

    def flood(self, *jobs: str) -> None:
        """Start an endless ``yes`` as each of ``jobs``."""
        for job in jobs:
            self.send(
                {
                    "type": "execute",
                    "id": job,
                    "command": "yes",
                    "timeout": 0,
                    "max_output_bytes": 0,
                }
            )

    def close(self) -> None:
        """Drop the connection."""
        self._ws.close()

    def reset(self) -> None:
        """End the connection with RST."""
        self._ws.reset()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Keys:
    """``cat`` on a raw terminal of the daemon."""

    COMMAND = "stty raw -echo; echo ready; exec cat"

    def __init__(self, client: Client, job: str = "echo") -> None:
        self._client = client
        self._job = job.encode()
        self._skipped: list[bytes] = []
        client.send({"type": "start_session", "id": job, "command": self.COMMAND, "use_pty": True})
        self._await(b"ready")

    def _await(self, text: bytes) -> None:
        # Search the bytes instead of parsing them: beside a flood parsing would be the bottleneck.
        while True:
            raw = self._client.skip_message()
            if self._job in raw[:160] and b'"output"' in raw[:160] and text in raw[-200:]:
                return
            self._skipped.append(raw[:160])

    def skipped(self, text: bytes) -> bool:
        """Whether another message that begins with ``text`` has arrived since the last call."""
        found = any(text in each for each in self._skipped)
        self._skipped.clear()
        return found

    def press(self) -> None:
        """Send one key and wait for its echo."""
        self._client.send({"type": "send_input", "id": self._job.decode(), "data": "x"})
        self._await(b'"x"')
