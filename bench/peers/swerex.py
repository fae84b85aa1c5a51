"""SWE-ReX: bash sessions for agents, in process and through its server."""

from __future__ import annotations

import json
import os
import secrets
import select
import subprocess
from pathlib import Path
from typing import Any, ClassVar

from bench import proc
from bench.peers.environment import Environment
from bench.peers.peer import ANSWER_SECONDS, Batch, Peer, Unsupported, require_bytes

_DRIVER = Path(__file__).parent / "inside" / "swerex_driver.py"
_QUIET = {"SWE_REX_LOG_STREAM_LEVEL": "CRITICAL"}


class SweRex(Peer):
    """A runtime in the process that uses it."""

    name = "SWE-ReX in process"
    notes: ClassVar = {
        "paced": "without state",
        "fast": "without state",
        "state": "in a session",
        "output": "not streamed",
        "terminal": "not streamed",
    }

    def __init__(self) -> None:
        self._environment = Environment("swe-rex")
        self._environment.make()
        self._driver: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._begin()

    def _begin(self, *arguments: str) -> None:
        self._driver = subprocess.Popen(
            [self._environment.program("python"), str(_DRIVER), *arguments],
            env={**os.environ, **_QUIET},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        self._ask("start")

    def _ask(self, do: str, **fields: Any) -> dict[str, Any]:
        assert self._driver
        assert self._driver.stdin
        assert self._driver.stdout
        self._driver.stdin.write(json.dumps({"do": do, **fields}).encode() + b"\n")
        if not select.select([self._driver.stdout], [], [], 2 * ANSWER_SECONDS)[0]:
            raise TimeoutError(f"no answer to {do}")
        answer: dict[str, Any] = json.loads(self._driver.stdout.readline() or '{"error": "gone"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def close(self) -> None:
        if self._driver:
            proc.end(self._driver)
            for pipe in (self._driver.stdin, self._driver.stdout):
                assert pipe
                pipe.close()
            self._driver = None

    def version(self) -> str:
        return self._environment.version("swe-rex")

    def pids(self) -> list[int]:
        assert self._driver
        return [self._driver.pid]

    def run(self, batch: Batch) -> list[float]:
        seconds: list[float] = self._ask("run", **vars(batch))["seconds"]
        return seconds

    def at_once(self, lanes: int, times: int) -> float:
        return lanes * times / float(self._ask("at_once", lanes=lanes, times=times)["seconds"])

    def output(self, command: str, size: int) -> float:
        answer = self._ask("output", command=command)
        require_bytes(answer["size"], size)
        return float(answer["seconds"])

    def terminal(self, command: str, size: int) -> float:
        answer = self._ask("terminal", command=command)
        # SWE-ReX turns each carriage return and line feed into a line feed.
        require_bytes(answer["size"] + answer["lines"], size)
        return float(answer["seconds"])

    def flood(self) -> None:
        raise Unsupported("output comes at the end")


class SweRexServer(SweRex):
    """SWE-ReX's server on a loopback port, with its own client."""

    name = "SWE-ReX server"

    def __init__(self) -> None:
        super().__init__()
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        port, token = proc.free_port(), secrets.token_hex(16)
        self._server = subprocess.Popen(
            [
                self._environment.program("swerex-remote"),
                *("--host", "127.0.0.1", "--port", str(port), "--auth-token", token),
            ],
            env={**os.environ, **_QUIET},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        proc.await_port(port, self._server)
        self._begin(str(port), token)

    def close(self) -> None:
        super().close()
        if self._server:
            proc.end(self._server)
            self._server = None

    def pids(self) -> list[int]:
        assert self._server
        return [self._server.pid]
