"""How long a keystroke and a cancel take, alone and beside floods; what a frozen client costs."""

from __future__ import annotations

import os
import pty
import subprocess
import time
import tty

from bench.measure import Row, median, percentile
from bench.wire import Client, Daemon

_RAW_CAT = "stty raw -echo; echo ready; exec cat"


def _bare_echo(times: int) -> list[float]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    process = subprocess.Popen(["cat"], stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    taken = []
    for _ in range(times):
        time.sleep(0.001)
        begun = time.perf_counter()
        os.write(master, b"x")
        os.read(master, 1)
        taken.append(time.perf_counter() - begun)
    process.kill()
    process.wait()
    os.close(master)
    return taken


class _Echo:
    def __init__(self, client: Client, job: str = "echo") -> None:
        self._client = client
        self._job = job
        client.send({"type": "start_session", "id": job, "command": _RAW_CAT, "use_pty": True})
        self._await("ready")

    def _await(self, text: str) -> None:
        while True:
            message = self._client.receive()
            if message.get("id") == self._job and text in message.get("data", ""):
                return

    def measure(self, times: int, pause: float = 0.001) -> list[float]:
        taken = []
        for _ in range(times):
            time.sleep(pause)
            begun = time.perf_counter()
            self._client.send({"type": "send_input", "id": self._job, "data": "x"})
            self._await("x")
            taken.append(time.perf_counter() - begun)
        return taken


def echo() -> list[Row]:
    """A keystroke's way to ``cat`` on a raw terminal and back."""
    with Daemon() as daemon:
        client = Client(daemon)
        keys = _Echo(client)
        keys.measure(100)
        bare, ours = _bare_echo(1000), keys.measure(1000)
        middle = median(ours) / median(bare)
        slow = (percentile(ours, 0.99) - percentile(bare, 0.99)) * 1e3
        for number in (1, 2):
            client.send(
                {
                    "type": "execute",
                    "id": f"f{number}",
                    "command": "yes",
                    "timeout": 0,
                    "max_output_bytes": 0,
                }
            )
        beside = percentile(keys.measure(300), 0.99) * 1e3
        begun = time.perf_counter()
        client.send({"type": "cancel_command", "id": "f1"})
        while client.receive().get("reason") != "cancelled":
            pass
        cancel = (time.perf_counter() - begun) * 1e3
    return [
        Row(
            "PTY echo p50, × a bare PTY's",
            f"{middle:.1f}",
            "≤ 3",
            middle <= 3,
            f"{median(ours) * 1e6:.0f} µs; bare {median(bare) * 1e6:.0f} µs",
        ),
        Row("PTY echo p99, beyond a bare PTY's", f"{slow:.2f} ms", "≤ 1 ms", slow <= 1),
        Row("PTY echo p99 beside two floods", f"{beside:.1f} ms", "≤ 15 ms", beside <= 15),
        Row("cancel of a flooding job", f"{cancel:.0f} ms", "≤ 100 ms", cancel <= 100),
    ]


def frozen(seconds: float = 60.0) -> list[Row]:
    """A client that never reads, with two ``yes`` running; another one types meanwhile."""
    with Daemon() as daemon:
        other = Client(daemon, "other")
        keys = _Echo(other)
        keys.measure(50)
        before = daemon.rss()
        client = Client(daemon, "frozen")
        for number in (1, 2):
            client.send(
                {
                    "type": "execute",
                    "id": f"f{number}",
                    "command": "yes",
                    "timeout": 0,
                    "max_output_bytes": 0,
                }
            )
        taken: list[float] = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            taken += keys.measure(100, pause=0.004)
        grown = (daemon.rss() - before) / 2**20
        slow = percentile(taken, 0.99) * 1e3
        client.close()
    return [
        Row(
            f"client that never reads, {seconds:.0f} s: RSS",
            f"+{grown:.1f} MiB",
            "< 16 MiB",
            grown < 16,
        ),
        Row("another client's echo p99 meanwhile", f"{slow:.1f} ms", "≤ 5 ms", slow <= 5),
    ]
