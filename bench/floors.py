"""The lower bounds of a command and a keystroke: each of their parts, measured by itself."""

from __future__ import annotations

import asyncio
import os
import resource
import select
import socket
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import baselines, cpu_profile, echo_servers, minimal_server, proc
from bench.measure import PACE, median, paced, spawn_bash
from bench.websocket import WebSocket
from bench.wire import Client, Daemon
from shellwire.shell.bash import Bash
from shellwire.shell.context import initial_state
from shellwire.shell.launch import launch
from shellwire.shell.shell import Stdio

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measure import Effort

_READY = 0.006
"""Seconds after which a started bash waits for its text."""

_FRAME = b'{"type": "ping", "request_id": "0123456789"}'
_CLIENTS = 4

_STAGES = {
    "tcp": "a byte to asyncio and back, over TCP",
    "frame": "a text frame to aiohttp and back",
    "shell": "a waiting bash gets `:`, reports its state and exits",
    "command": "a bare `bash -c :`",
    "key": "a key to `cat` on a bare raw terminal and back",
    "relay": "the same through asyncio, over TCP, without a protocol",
}
_LEAST = {
    "least_paced": "4 ms apart",
    "least_fast": "back to back",
    "least_four": "four clients at once, rate",
}
_COSTS = {
    "bare_cpu": "a bare `bash -c :`, and the process that starts it",
    "shell_cpu": "the bash of a command, with its report",
    "daemon_cpu": "the daemon",
    "client_cpu": "the client",
}


def floors(effort: Effort) -> dict[str, float]:
    """Measure the parts. Returns microseconds by name, and the minimal server's ratios."""
    times = effort.times(600, least=10)
    found = asyncio.run(_shells(times))
    with (
        echo_servers.server("tcp") as port,
        closing(socket.create_connection(("127.0.0.1", port))) as line,
    ):
        found["tcp"] = _median(lambda: _through(line), times)
    with echo_servers.server("frame") as port, closing(WebSocket(port)) as frames:
        found["frame"] = _median(lambda: _frame(frames), times)
    with (
        echo_servers.server("relay") as port,
        closing(socket.create_connection(("127.0.0.1", port))) as line,
        baselines.Keys() as keys,
    ):
        found["relay"] = _median(lambda: _through(line), times, 0.001)
        found["key"] = _median(keys.press, times, 0.001)
    with echo_servers.server("least") as port:
        found.update(minimal_server.measure(port, effort))
    found.update(cpu_profile.cpu_shares(effort))
    return {**found, **_costs(effort.times(2000, least=20))}


def _median(act: Callable[[], None], times: int, pace: float = PACE) -> float:
    paced(act, 20, pace)
    return median(paced(act, times, pace)) * 1e6


def _frame(frames: WebSocket) -> None:
    frames.send(_FRAME)
    frames.receive()


def _through(line: socket.socket) -> None:
    line.send(b"x")
    line.recv(1)


async def _shells(times: int) -> dict[str, float]:
    """Measure a waiting bash and a bare one alternately, because the machine's speed drifts."""
    waiting, spawned = [], []
    dialect = Bash("/bin/bash")
    state = initial_state(os.environb, "/")
    for _ in range(times):
        shell = launch(dialect, state, Stdio(), tag=b"bench", report=True)
        time.sleep(_READY)  # noqa: ASYNC251 - the loop has nothing to do
        ended = select.poll()
        pidfd = os.pidfd_open(shell.pid)
        ended.register(pidfd, select.POLLIN)
        begun = time.perf_counter()
        shell.run(dialect.script(b"", b":"))
        ended.poll()
        waiting.append(time.perf_counter() - begun)
        os.close(pidfd)
        os.waitpid(shell.pid, 0)  # noqa: ASYNC222
        shell.close()
        spawned += paced(spawn_bash, 1)
    return {"shell": median(waiting) * 1e6, "command": median(spawned) * 1e6}


def _costs(times: int) -> dict[str, float]:
    """Return the processor time of one command while four clients send at once."""
    begun = _used()
    for _ in range(times):
        spawn_bash()
    bare_cpu = _used() - begun
    each = times // _CLIENTS
    with Daemon() as daemon:
        clients = [Client(daemon, f"c{number}") for number in range(_CLIENTS)]

        def lane(client: Client) -> None:
            for number in range(each):
                client.run(f"j{number}-{time.monotonic_ns()}", ":")

        lane(clients[0])
        shells, own, ours = _children(daemon.pid), proc.cpu(daemon.pid), _used()
        threads = [threading.Thread(target=lane, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        shells, own, ours = (
            _children(daemon.pid) - shells,
            proc.cpu(daemon.pid) - own,
            _used() - ours,
        )
        for client in clients:
            client.close()
    share = 1e6 / (each * _CLIENTS)
    return {
        "bare_cpu": bare_cpu * 1e6 / times,
        "shell_cpu": shells * share,
        "daemon_cpu": own * share,
        "client_cpu": ours * share,
    }


def _used() -> float:
    """Return the seconds of processor time used by this process and its ended children."""
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in spent)


def _children(pid: int) -> float:
    """Return the seconds of processor time used by the ended children of ``pid``."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def table(found: dict[str, Any]) -> str:
    """Return the parts and their sum in Markdown."""
    command, key = found["command"], found["key"]
    lines = ["| part, by itself | µs | |", "|---|---:|---:|"]
    for name, what in _STAGES.items():
        share = found[name] / (key if name in ("key", "relay") else command)
        of = "a bare terminal" if name in ("key", "relay") else "a bare bash"
        lines.append(f"| {what} | {found[name]:.0f} | {share:.2f} of {of} |")
    least = (found["frame"] + found["shell"]) / command
    lines.append(f"| **a frame, and a waiting bash** | | **{least:.2f} of a bare bash** |")
    lines += ["", "| `:` by the minimal server | of a bare bash |", "|---|---:|"]
    lines += [f"| {what} | {found[name]:.2f} |" for name, what in _LEAST.items()]
    lines += ["", "| processor time of a command | µs |", "|---|---:|"]
    for name, what in _COSTS.items():
        lines.append(f"| {what} | {found[name]:.0f} |")
        if name == "daemon_cpu":
            whole = found[name]
            lines += [f"| – {part} | {found[part] * whole:.0f} |" for part in cpu_profile.PARTS]
    one = found["bare_cpu"]
    total = (found["shell_cpu"] + found["daemon_cpu"] + found["client_cpu"]) / one
    lines.append(f"| **together, × a bare one** | **{total:.2f}** |")
    return "\n".join(lines) + (
        "\n\nThese costs were measured with four clients at once. With all processors busy all the "
        f"time, the\nrate is no more than {1 / total:.2f}; if only the shells cost anything, "
        f"{one / found['shell_cpu']:.2f}."
    )
