"""Run requests from standard input in SWE-ReX's environment, and answer with their times.

``python swerex_driver.py`` uses a runtime in this process, ``… PORT TOKEN`` one behind a server.
Requests and answers are JSON objects, one a line; see ``Driver`` for the requests.
"""

import asyncio
import json
import os
import sys
import time

from swerex.deployment.local import LocalDeployment
from swerex.runtime.abstract import (
    AbstractRuntime,
    BashAction,
    CloseBashSessionRequest,
    Command,
    CreateBashSessionRequest,
)

_OUTPUT_SECONDS = 20.0


class Driver:
    """The requests: each public coroutine is one, and its arguments are the request's fields."""

    def __init__(self, runtime: AbstractRuntime) -> None:
        self._runtime = runtime

    async def start(self) -> dict[str, object]:
        """Open the session that keeps state."""
        await self._runtime.create_session(CreateBashSessionRequest())
        await self._in_session(":")
        return {}

    async def _in_session(self, command: str) -> None:
        await self._runtime.run_in_session(BashAction(command=command, timeout=30))

    async def _execute(self, command: str) -> str:
        # The fastest way: a separate process, without a session and so without state.
        done = await self._runtime.execute(Command(command=["bash", "-c", command], check=True))
        return str(done.stdout)

    async def run(
        self, commands: list[str], pace: float, keep_state: bool, budget: float
    ) -> dict[str, object]:
        """Run one command after the other; ``bench.peers.peer.Batch`` explains the fields."""
        one = self._in_session if keep_state else self._execute
        taken = []
        until = time.monotonic() + budget
        for command in commands:
            if pace:
                await asyncio.sleep(pace)
            begun = time.perf_counter()
            await one(command)
            taken.append(time.perf_counter() - begun)
            if time.monotonic() > until:
                break
        return {"seconds": taken}

    async def at_once(self, lanes: int, times: int) -> dict[str, object]:
        """Run ``:`` in several tasks."""

        async def lane() -> None:
            for _ in range(times):
                await self._execute(":")

        begun = time.perf_counter()
        await asyncio.gather(*(lane() for _ in range(lanes)))
        return {"seconds": time.perf_counter() - begun}

    async def output(self, command: str) -> dict[str, object]:
        """Read a command's output through a pipe."""
        begun = time.perf_counter()
        text = await self._execute(command)
        return {"seconds": time.perf_counter() - begun, "size": len(text)}

    async def terminal(self, command: str) -> dict[str, object]:
        """Read a command's output through a session, which is a terminal."""
        name = f"terminal {time.monotonic_ns()}"
        await self._runtime.create_session(CreateBashSessionRequest(session=name))
        try:
            begun = time.perf_counter()
            seen = await self._runtime.run_in_session(
                BashAction(command=command, session=name, timeout=_OUTPUT_SECONDS)
            )
            took = time.perf_counter() - begun
        finally:
            await self._runtime.close_session(CloseBashSessionRequest(session=name))
        return {"seconds": took, "size": len(seen.output), "lines": seen.output.count("\n")}


async def main(arguments: list[str]) -> None:
    """Answer requests until standard input ends."""
    # The library prints to stdout, so answers go to a private duplicate of it.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if arguments:
        from swerex.runtime.remote import RemoteRuntime

        port, token = arguments
        runtime = RemoteRuntime(host="http://127.0.0.1", port=int(port), auth_token=token)
    else:
        deployment = LocalDeployment()
        await deployment.start()
        runtime = deployment.runtime
    driver = Driver(runtime)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = await getattr(driver, request.pop("do"))(**request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
    await runtime.close()


asyncio.run(main(sys.argv[1:]))
