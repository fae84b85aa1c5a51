"""A real daemon as a process, and a client that is independent of ours: on package websockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import websockets
from websockets.asyncio.client import ClientConnection, connect, unix_connect

from tests.forked import SERVER, ForkedProcess

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Message = dict[str, Any]

PATIENCE = 120.0
"""Seconds that a test waits for an event: far more than it takes, even on a loaded machine."""

_REPEAT = 0.25
"""Seconds between two signals to a daemon that is to stop soon."""

_numbers = count()


class Daemon:
    """``shellwire run`` on a free port, in its own home.

    It is forked (tests/forked.py) if ``forked`` and its environment allow it. ``env`` is added to
    our environment, ``only`` replaces it. ``wrapper`` is a command that executes the daemon's.
    """

    def __init__(
        self,
        home: Path,
        *flags: str,
        env: dict[str, str] | None = None,
        only: dict[str, str] | None = None,
        wrapper: Sequence[str] = (),
        forked: bool = True,
    ) -> None:
        self.home = home
        environ = dict(only or os.environ)
        for name in [name for name in environ if name.startswith("SHELLWIRE_")]:
            del environ[name]
        if only is None:
            # The tests don't depend on the user's profile.
            environ["SHELLWIRE_LOGIN_ENV"] = "never"
        environ.update(env or {}, SHELLWIRE_HOME=str(home))
        self._stderr = home.with_name(f"{home.name}.stderr")
        self._stderr.parent.mkdir(parents=True, exist_ok=True)
        words = ["run", "--port", "0", *flags]
        self.process: subprocess.Popen[str] | ForkedProcess
        with self._stderr.open("w") as stderr:
            if forked and not (only or wrapper) and SERVER.can_start_daemon(environ):
                self.process = SERVER.begin(words, environ, stderr.fileno())
            else:
                self.process = subprocess.Popen(
                    [*wrapper, sys.executable, "-m", "shellwire", *words],
                    env=environ,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    text=True,
                )
        assert self.process.stdout is not None
        # The daemon prints its URL once clients can connect.
        first = self.process.stdout.readline()
        assert "listens at ws://" in first, first + self.failure()
        self.url = next(word for word in first.split() if word.startswith("ws://"))
        self.token = (home / "auth.token").read_text().strip()

    @property
    def pid(self) -> int:
        return self.process.pid

    def failure(self) -> str:
        """Kill the daemon, and return what it wrote to stderr."""
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)
        return self._stderr.read_text()

    def stop(self) -> None:
        """Stop the daemon with SIGTERM, and wait for its end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def stop_soon(self) -> None:
        """Do the same, without the grace period of running commands: repeated signals end it."""
        for _ in range(int(PATIENCE / _REPEAT)):
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.communicate(timeout=_REPEAT)
                return
        self.stop()

    def children(self) -> list[int]:
        """Return the pids of the daemon's children, zombies included."""
        pids: list[int] = []
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{thread}/children") as file:
                pids.extend(map(int, file.read().split()))
        return pids

    def descriptors(self) -> int:
        """Return how many descriptors the daemon has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def sockets(self) -> int:
        """Return how many sockets the daemon has open."""
        found = 0
        for name in os.listdir(f"/proc/{self.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                found += os.readlink(f"/proc/{self.pid}/fd/{name}").startswith("socket:")
        return found

    def is_busy(self) -> bool:
        """Whether a command or a session runs."""
        with urllib.request.urlopen(self.url.replace("ws://", "http://") + "/health") as answer:
            health = json.load(answer)
        return bool(health["active_commands"] or health["active_sessions"])

    async def end_jobs(self) -> None:
        """End all commands and sessions, and wait for their ends."""
        ending = await self.client(local=True)
        jobs = (await ending.ask({"type": "list_jobs"}))["jobs"]
        alive = [job for job in jobs if job["state"] in ("queued", "running")]
        for job in alive:
            owner = await self.client(job["client_id"], local=True)
            await owner.ask({"type": "attach", "id": job["id"]})
            await owner.ask({"type": "kill_session", "id": job["id"]})
            await owner.until("result", "session_ended", "error", id=job["id"])
            await owner.close()
        await ending.close()

    async def client(
        self,
        client_id: str | None = None,
        *,
        protocol: int | None = 1,
        local: bool = False,
        url: str | None = None,
        **more: Any,
    ) -> Client:
        """Connect to the daemon, its Unix socket if ``local``, or to ``url``, and authenticate.

        ``more`` are further fields of ``auth``.
        """
        ws = await self.connect(local=local, url=url)
        client = Client(ws, client_id or f"client-{next(_numbers)}")
        auth: Message = {"type": "auth", "client_id": client.id}
        if not local:
            auth["token"] = self.token
        if protocol is not None:
            auth["protocol"] = protocol
        auth |= more
        await client.send(auth)
        client.status = await client.receive()
        assert client.status["type"] == "status", client.status
        return client

    async def connect(
        self, *, local: bool = False, url: str | None = None, **options: Any
    ) -> ClientConnection:
        """Open a WebSocket without authenticating."""
        defaults = {"open_timeout": PATIENCE, "ping_timeout": PATIENCE}
        options = {"max_size": None, "compression": None, **defaults, **options}
        if local:
            return await unix_connect(str(self.home / "daemon.sock"), **options)
        return await connect(url or self.url, **options)


@dataclass
class Ran:
    """All messages that came for one command, in order."""

    messages: list[Message]

    @property
    def last(self) -> Message:
        return self.messages[-1]

    def text(self, stream: str) -> str:
        return "".join(
            m["data"] for m in self.messages if m["type"] == "output" and m["stream"] == stream
        )

    @property
    def out(self) -> str:
        return self.text("stdout")

    @property
    def err(self) -> str:
        return self.text("stderr")

    @property
    def code(self) -> int:
        return int(self.last["exit_code"])

    def of_type(self, kind: str) -> list[Message]:
        return [m for m in self.messages if m["type"] == kind]


class Client:
    """A client that sends and receives JSON objects; it puts messages of other jobs aside."""

    def __init__(self, ws: ClientConnection, client_id: str) -> None:
        self.ws = ws
        self.id = client_id
        self.status: Message = {}
        self.aside: list[Message] = []

    async def send(self, message: Message) -> None:
        await self.ws.send(json.dumps(message))

    async def receive(self) -> Message:
        """Return the next message of any kind."""
        if self.aside:
            return self.aside.pop(0)
        return await self._receive()

    async def _receive(self) -> Message:
        async with asyncio.timeout(PATIENCE):
            message: Message = json.loads(await self.ws.recv())
        return message

    async def until(self, *kinds: str, id: str | None = None, **fields: Any) -> list[Message]:  # noqa: A002
        """Return the messages up to the first that has one of these types and all ``fields``.

        With ``id`` only messages with this id are returned, and the others are put aside.
        """
        taken: list[Message] = []
        kept: list[Message] = []
        while True:
            message = self.aside.pop(0) if self.aside else await self._receive()
            if id is not None and message.get("id") != id:
                kept.append(message)
                continue
            taken.append(message)
            wanted = all(message.get(name) == value for name, value in fields.items())
            if message["type"] in kinds and wanted:
                self.aside = kept + self.aside
                return taken

    async def ask(self, message: Message) -> Message:
        """Send a message with a new request_id, and return the answer to it."""
        request_id = f"request-{next(_numbers)}"
        await self.send({**message, "request_id": request_id})
        kept: list[Message] = []
        while True:
            answer = self.aside.pop(0) if self.aside else await self._receive()
            if answer.get("request_id") == request_id:
                self.aside = kept + self.aside
                return answer
            kept.append(answer)

    async def start(self, command: str, **fields: Any) -> str:
        """Send ``execute`` and return its id."""
        job = str(fields.pop("id", f"job-{next(_numbers)}"))
        await self.send({"type": "execute", "id": job, "command": command, **fields})
        return job

    async def finish(self, job: str) -> Ran:
        """Return all messages of a command, up to its last one."""
        return Ran(await self.until("result", "error", id=job))

    async def run(self, command: str, **fields: Any) -> Ran:
        """Run a command, and wait for its end."""
        return await self.finish(await self.start(command, **fields))

    async def session(self, **fields: Any) -> str:
        """Start a session and return its id; put its messages up to ``session_started`` aside."""
        job = str(fields.pop("id", f"session-{next(_numbers)}"))
        await self.send({"type": "start_session", "id": job, **fields})
        self.aside += await self.until("session_started", "session_ended", "error", id=job)
        return job

    async def output_until(self, job: str, text: str) -> str:
        """Receive the job's output until it contains ``text``, and return it."""
        seen = ""
        while text not in seen:
            message = (await self.until("output", "result", "session_ended", "error", id=job))[-1]
            assert message["type"] == "output", (message, seen)
            seen += message["data"]
        return seen

    async def close(self) -> None:
        await self.ws.close()

    async def closed(self) -> tuple[int, str]:
        """Wait until the daemon closes the connection; return its code and reason."""
        async with asyncio.timeout(PATIENCE):
            with contextlib.suppress(websockets.ConnectionClosed):
                while True:
                    self.aside.append(json.loads(await self.ws.recv()))
        return self.ws.close_code or 0, self.ws.close_reason or ""
