"""Play the transcripts of PROTOCOL.md against a daemon.

One line is one step; a line that begins with two spaces continues the line above::

    > {"type": "ping"}              the client sends this
    < {"type": "pong"}              the daemon sends this next (a pattern, see pattern.py)
    < close 4000                    the daemon closes the connection with this code
    > close                         the client closes it
    $ shellwire stop                this command runs to its end, outside the conversation
    ! kill -9                       the daemon is killed, and another one started in its home
    laptop> {"type": "auth", …      a second connection, with its own name
    # words                         a comment

Flags of ``start`` may follow the word ``transcript``: then the transcript gets its own daemon. If
the first message is not ``auth``, the client is already authenticated, with ``protocol: 1``.

Output may arrive in several pieces where the transcript shows one. On the wire client_ids get a
suffix, so that no transcript sees the jobs of another.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import websockets

from tests.docs import pattern
from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from websockets.asyncio.client import ClientConnection

    from tests.docs.document import Block
    from tests.live import Daemon

_LINE = re.compile(r"(\w*)([<>$#!])(?: (.*))?", re.DOTALL)
_CLIENT_ID = re.compile(r'"client_id": *"(\w+)"')
_numbers = count(1)


class Mismatch(AssertionError):
    """The daemon's behaviour differs from the transcript."""


@dataclass(frozen=True)
class Step:
    """One line: the connection's name, the mark (``<``, ``>``, ``$`` or ``!``), and the rest."""

    connection: str
    mark: str
    text: str


def parse(text: str) -> list[Step]:
    """Return the steps of a transcript, without its comments."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("  "):
            lines[-1] += "\n" + line
        elif line.strip():
            lines.append(line)
    steps: list[Step] = []
    for line in lines:
        match = _LINE.fullmatch(line)
        assert match, f"not a line of a transcript: {line}"
        if match[2] != "#":
            steps.append(Step(match[1], match[2], match[3] or ""))
    return steps


class Player:
    """A player of one transcript. ``play`` raises Mismatch at the first difference.

    ``directory`` is an empty directory that replaces ``<directory>``; ``again(home=…)`` starts a
    daemon in the home of a killed one.
    """

    def __init__(
        self,
        daemon: Daemon,
        steps: list[Step],
        *,
        directory: Path | None = None,
        again: Callable[..., Daemon] | None = None,
    ) -> None:
        self._daemon = daemon
        self._again = again
        self._known = {"<token>": daemon.token, "<directory>": str(directory)}
        self._steps = steps
        self._suffix = f"~{next(_numbers)}~"
        self._clients = set(_CLIENT_ID.findall("\n".join(step.text for step in steps)))
        self._open: dict[str, ClientConnection] = {}

    async def play(self) -> None:
        """Play the transcript; check that no further message arrives and that no job is left."""
        try:
            for step in self._steps:
                try:
                    await self._play(step)
                except Mismatch as problem:
                    line = f"{step.connection}{step.mark} {step.text}"
                    raise Mismatch(f"{problem}\n  the transcript: {line}") from None
            for ws in self._open.values():
                await self._see_silence(ws)
        finally:
            for ws in self._open.values():
                await ws.close()

    async def _play(self, step: Step) -> None:
        if step.mark == "$":
            await asyncio.to_thread(self._run, self._to_wire(step.text))
            return
        if step.mark == "!":
            await self._kill(step)
            return
        ws = self._open.get(step.connection) or await self._connect(step)
        if step.mark == "<" and step.text.startswith("close"):
            await self._see_close(step, ws)
        elif step.mark == "<":
            await self._see(step, ws)
        elif step.text == "close":
            await self._open.pop(step.connection).close()
        else:
            await ws.send(self._sent(step.text))

    # Connections ---------------------------------------------------------------------------------

    async def _connect(self, step: Step) -> ClientConnection:
        ws = self._open[step.connection] = await self._daemon.connect()
        if '"auth"' not in step.text:
            auth = {"type": "auth", "client_id": "docs", "token": self._daemon.token, "protocol": 1}
            self._clients.add("docs")
            await ws.send(self._to_wire(json.dumps(auth)))
            answer = await self._receive(ws)
            assert answer["type"] == "status", answer
        return ws

    async def _kill(self, step: Step) -> None:
        assert step.text == "kill -9", step
        assert self._again is not None, "a test must not kill the shared daemon"
        self._daemon.process.kill()
        while self._open:
            _, ws = self._open.popitem()
            await ws.wait_closed()
        self._daemon.process.communicate(timeout=PATIENCE)
        self._daemon = await asyncio.to_thread(self._again, home=self._daemon.home)

    def _filled(self, text: str) -> str:
        for mark, value in self._known.items():
            text = text.replace(mark, value)
        return text

    def _sent(self, text: str) -> str:
        message = json.loads(self._filled(text))
        return self._to_wire(json.dumps(message))

    def _to_wire(self, text: str) -> str:
        for client in self._clients:
            text = re.sub(rf"\b{client}\b(?!~)", client + self._suffix, text)
        return text

    async def _receive(self, ws: ClientConnection) -> dict[str, Any]:
        try:
            async with asyncio.timeout(PATIENCE):
                text = await ws.recv()
        except TimeoutError:
            raise Mismatch("the daemon: nothing more came") from None
        except websockets.ConnectionClosed:
            raise Mismatch(f"the daemon: close {ws.close_code} {ws.close_reason}") from None
        message: dict[str, Any] = json.loads(str(text).replace(self._suffix, ""))
        return message

    # Received messages ---------------------------------------------------------------------------

    async def _see(self, step: Step, ws: ClientConnection) -> None:
        wanted = pattern.parse(self._filled(step.text))
        message = await self._receive(ws)
        while _is_a_piece(message, wanted):
            more = await self._receive(ws)
            if (more["type"], more.get("stream")) != ("output", message["stream"]):
                break
            message = {**more, "data": message["data"] + more["data"]}
        problem = pattern.mismatch(wanted, message)
        if problem:
            raise Mismatch(f"{problem}\n  the daemon: {message}")

    async def _see_close(self, step: Step, ws: ClientConnection) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                text = await ws.recv()
            raise Mismatch(f"the daemon: {text!r}")
        except websockets.ConnectionClosed:
            pass
        del self._open[step.connection]
        if ws.close_code != int(step.text.split()[1]):
            raise Mismatch(f"the daemon: close {ws.close_code} {ws.close_reason}")

    async def _see_silence(self, ws: ClientConnection) -> None:
        alive = ["?"]
        deadline = time.monotonic() + PATIENCE
        while alive and time.monotonic() < deadline:  # ending a job takes a moment
            await ws.send(json.dumps({"type": "list_jobs", "request_id": "the end"}))
            answer = await self._receive(ws)
            if answer.get("request_id") != "the end":
                raise Mismatch(f"more came than the transcript has\n  the daemon: {answer}")
            alive = [
                job["id"]
                for job in answer["jobs"]
                if job["client_id"] in self._clients and job["state"] in ("queued", "running")
            ]
        if alive:
            raise Mismatch(f"the transcript leaves jobs that run: {alive}")

    def _run(self, command: str) -> None:
        program, *arguments = command.split()
        assert program == "shellwire", command
        done = subprocess.run(
            [sys.executable, "-m", program, *arguments],
            env={**os.environ, "SHELLWIRE_HOME": str(self._daemon.home)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode:
            raise Mismatch(f"{command}: {done.stderr or done.stdout}")


def _is_a_piece(message: dict[str, Any], wanted: Any) -> bool:
    """Return whether ``message`` is the beginning of the output that the transcript shows."""
    if message["type"] != "output" or wanted.get("type") != "output":
        return False
    data = wanted.get("data", "")
    return data != message["data"] and str(data).startswith(message["data"])


def flags(block: Block) -> Iterable[str]:
    """Return the flags of the transcript's daemon."""
    return block.info.split()[1:]
