"""shellwire: this checkout, and release 0.1.4."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from abc import abstractmethod
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from bench import proc
from bench.measure import at_once
from bench.peers.environment import Environment
from bench.peers.peer import Batch, Peer, Unsupported, require_bytes
from bench.tables import OURS
from bench.wire import Client, Daemon, Keys, Message, Server

if TYPE_CHECKING:
    from collections.abc import Callable


class _ShellwirePeer(Peer):
    """The messages that both releases understand."""

    def __init__(self) -> None:
        self._numbers = count()
        self._daemon: Server | None = None
        self._clients: list[Client] = []

    @abstractmethod
    def make(self) -> Server:
        """Start a daemon."""

    def start(self) -> None:
        self._daemon = self.make()
        self.client = self.connect("one")
        self.one(":")

    def connect(self, name: str) -> Client:
        assert self._daemon
        self._clients.append(Client(self._daemon, name))
        return self._clients[-1]

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self._clients.clear()
        if self._daemon:
            self._daemon.close()
            self._daemon = None

    def version(self) -> str:
        return str(self.client.status["version"])

    def pids(self) -> list[int]:
        assert self._daemon
        return [self._daemon.pid]

    def job(self) -> str:
        return f"j{next(self._numbers)}"

    def one(self, command: str) -> None:
        """Run a command to its end."""
        _succeeded(self.client.run(self.job(), command))

    def run(self, batch: Batch) -> list[float]:
        return batch.run(self.one)

    def keys(self) -> Keys:
        return Keys(self.client, self.job())

    def received(self, size: int, message: Message, last: bytes) -> float:
        """Return the seconds from sending ``message`` until a message of type ``last`` arrives."""
        before, begun = self.client.received, time.perf_counter()
        self.client.send(message)
        self.client.await_type(last)
        took = time.perf_counter() - begun
        require_bytes(self.client.received - before, size)
        return took


def _succeeded(result: Message) -> None:
    if result["exit_code"]:
        raise RuntimeError(f"a command exited with {result['exit_code']}")


class Current(_ShellwirePeer):
    """This checkout."""

    name = OURS

    def make(self) -> Server:
        return Daemon()

    def at_once(self, lanes: int, times: int) -> float:
        clients = [self.connect(f"lane {number}") for number in range(lanes)]

        def act(client: Client) -> Callable[[], None]:
            return lambda: _succeeded(client.run(self.job(), ":"))

        rate = at_once([act(client) for client in clients], times)
        for client in clients:
            client.close()
        return rate

    def _execute(self, command: str, size: int, *, is_pty: bool) -> float:
        return self.received(
            size,
            {
                "type": "execute",
                "id": self.job(),
                "command": command,
                "timeout": 0,
                "max_output_bytes": 0,
                "is_pty": is_pty,
            },
            b"result",
        )

    def output(self, command: str, size: int) -> float:
        return self._execute(command, size, is_pty=False)

    def terminal(self, command: str, size: int) -> float:
        return self._execute(command, size, is_pty=True)

    def flood(self) -> None:
        self.client.flood("flood 1", "flood 2")


class Release014(_ShellwirePeer):
    """Release 0.1.4: a shell per command, which is /bin/sh, and one client at a time."""

    name = "shellwire 0.1.4"
    notes: ClassVar = {
        "paced": "in /bin/sh",
        "fast": "in /bin/sh",
        "four": "one client, four commands",
        "output": "in a session: kills a command at 512 kB",
        "frozen": "in sessions: kills a command at 512 kB",
    }

    def __init__(self) -> None:
        super().__init__()
        self._environment = Environment("shellwire-0.1.4")
        self._environment.make()

    def make(self) -> Server:
        return _OldDaemon(self._environment.program("shellwire"))

    def run(self, batch: Batch) -> list[float]:
        if batch.keep_state:
            raise Unsupported("no state")
        return super().run(batch)

    def at_once(self, lanes: int, times: int) -> float:
        begun = time.perf_counter()
        waiting, ended = lanes * times, 0
        for _ in range(lanes):
            self._begin()
        waiting -= lanes
        while ended < lanes * times:
            _succeeded(self.client.await_type(b"result"))
            ended += 1
            if waiting:
                self._begin()
                waiting -= 1
        return lanes * times / (time.perf_counter() - begun)

    def _begin(self) -> None:
        self.client.send({"type": "execute", "id": self.job(), "command": ":"})

    def _session(self, command: str, *, use_pty: bool) -> Message:
        return {"type": "start_session", "id": self.job(), "command": command, "use_pty": use_pty}

    def output(self, command: str, size: int) -> float:
        return self.received(size, self._session(command, use_pty=False), b"session_ended")

    def terminal(self, command: str, size: int) -> float:
        return self.received(size, self._session(command, use_pty=True), b"session_ended")

    def flood(self) -> None:
        for _ in range(2):
            self.client.send(self._session("yes", use_pty=False))


class _OldDaemon:
    """A daemon of release 0.1.4: its home is below HOME, and it can't take port 0."""

    def __init__(self, program: str) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="shellwire-bench-")
        home = self._directory.name
        self.port = proc.free_port()
        self.process = subprocess.Popen(
            [program, "run", "--port", str(self.port)],
            env={**os.environ, "HOME": home, "SHELL": "/bin/bash"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.pid = self.process.pid
        try:
            proc.await_port(self.port, self.process)
            self.token = Path(home, ".shellwire", "auth.token").read_text().strip()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        proc.end(self.process)
        self._directory.cleanup()
