"""Commands under kill, cancel and timeout races: ``python -m bench.races [COMMANDS] [SECONDS]``.

Each client runs short commands of many kinds. At a random moment near the end of each it cancels or
kills it, or the command has a timeout about as long as itself. Afterwards every command must have
had exactly one terminal message that fits, a context must have kept what its commands committed,
and the daemon must have no process, no descriptor and no slot left. Exits with 1 if not.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from bench import proc
from bench.wire import Daemon

Message = dict[str, Any]

COUNT = "N=$((${N:-0} + 1))"
KINDS = {
    ":": 0,
    "(exit 7)": 7,
    "exit 7": 7,
    COUNT: 0,
    "exec 9>$LOCK; flock -n 9": 0,
    "trap 'echo bye' EXIT; (exit 7)": 7,
    "sleep 0.001 & (exit 7)": 7,
    "(sleep 0.001 &); (exit 7)": 7,
    "echo a > >(cat); (exit 7)": 7,
    "f() { echo f; }; (exit 7)": 7,
    "exec true": 0,
    "set -e; false": 1,
    "seq 300; (exit 7)": 7,
}
"""Commands, and the exit code of each that runs undisturbed."""

_CLIENTS = 4
_REASONS = {None: "exited", "cancel_command": "cancelled", "kill_session": "killed"}


async def _client(
    url: str, token: str, number: int, count: int, until: float, lock: Path
) -> Counter[str]:
    counts: Counter[str] = Counter()
    async with connect(url, max_size=None, proxy=None) as ws:
        await _send(
            ws, {"type": "auth", "token": token, "client_id": f"race-{number}", "protocol": 1}
        )
        await ws.recv()
        for index in range(count):
            if time.monotonic() > until:
                break
            await _one(ws, f"{number}-{index}", lock, counts)
            counts["commands"] += 1
        await _send(ws, {"type": "execute", "id": "n", "command": "exit $((${N:-0} % 256))"})
        while (last := json.loads(await ws.recv()))["type"] != "result" or last["id"] != "n":
            pass
    # One that was ended may have counted, too.
    least, most = counts.pop("counted", 0), counts.pop("perhaps counted", 0)
    assert last["exit_code"] in {n % 256 for n in range(least, least + most + 1)}, (
        last,
        least,
        most,
    )
    return counts


async def _one(ws: ClientConnection, job: str, lock: Path, counts: Counter[str]) -> None:
    command, code = random.choice(list(KINDS.items()))
    request: Message = {"type": "execute", "id": job, "command": command}
    request["env"] = {"LOCK": str(lock)}
    request["is_pty"] = random.random() < 0.1
    if random.random() < 0.25:
        request["timeout"] = random.uniform(0.0005, 0.01)
    await _send(ws, request)
    how = random.choice([None, None, "cancel_command", "kill_session"])
    if how is not None:
        await asyncio.sleep(random.choice([0, random.uniform(0, 0.006)]))
        await _send(ws, {"type": how, "id": job, "request_id": f"r{job}"})
    result, answered = None, how is None
    while result is None or not answered:
        message = json.loads(await asyncio.wait_for(ws.recv(), 60))
        answered = answered or message.get("request_id") == f"r{job}"
        if message["type"] == "result" and message["id"] == job:
            assert result is None, (request, result, message)
            result = message
    reason = result["reason"]
    counts[reason] += 1
    allowed = {"exited", _REASONS[how], *(["timed_out"] if "timeout" in request else [])}
    assert reason in allowed, (request, how, result)
    if reason == "exited":
        assert result["exit_code"] == code, (request, how, result)
    if command == COUNT:
        counts["counted" if reason == "exited" else "perhaps counted"] += 1


async def _send(ws: ClientConnection, message: Message) -> None:
    await ws.send(json.dumps(message))


async def races(count: int, seconds: float) -> Counter[str]:
    """Run ``count`` commands in at most ``seconds``, and check what is left of them."""
    with tempfile.TemporaryDirectory(prefix="shellwire-bench-") as directory:
        with Daemon() as daemon:
            url, token = f"ws://127.0.0.1:{daemon.port}", daemon.token
            descriptors = proc.descriptors(daemon.pid)
            until = time.monotonic() + seconds
            found = await asyncio.gather(
                *(
                    _client(
                        url, token, number, count // _CLIENTS, until, Path(directory) / str(number)
                    )
                    for number in range(_CLIENTS)
                )
            )
            await _check(daemon.pid, url, token, descriptors)
            log = (daemon.home / "daemon.log").read_text()
        total = sum(found, Counter())
        total["log: ERROR"] = log.count(" ERROR ")
        total["log: not exited in time"] = log.count("has not exited")
        return total


async def _check(pid: int, url: str, token: str, descriptors: int) -> None:
    """Wait until the daemon has nothing left but its waiting shells."""
    async with connect(url, max_size=None, proxy=None) as ws:
        await _send(ws, {"type": "auth", "token": token, "client_id": "check", "protocol": 1})
        await ws.recv()
        until = time.monotonic() + 60
        while True:
            await _send(ws, {"type": "list_jobs"})
            jobs = json.loads(await ws.recv())["jobs"]
            left = [job for job in jobs if job["pids"] or job["state"] != "ended"]
            children = proc.descendants(pid)
            opened = proc.descriptors(pid)
            # Each waiting shell has six descriptors here; so has this connection one.
            if not left and len(children) <= 2 and opened <= descriptors + 16:
                return
            assert time.monotonic() < until, (left, children, opened, descriptors)
            await asyncio.sleep(0.05)


def main() -> None:
    """Run the races, and print what has happened."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 3600.0
    begun = time.monotonic()
    for name, number in sorted(asyncio.run(races(count, seconds)).items()):
        print(f"{name:28} {number}")
    print(f"{'seconds':28} {time.monotonic() - begun:.0f}")


if __name__ == "__main__":
    main()
