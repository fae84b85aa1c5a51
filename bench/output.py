"""What output costs, against a bare pipe and a bare terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import time
from typing import TYPE_CHECKING, Any

from bench.measure import Row, median
from bench.wire import Client, Daemon

if TYPE_CHECKING:
    from collections.abc import Callable

_TEXT = "seq 20000000"
_BINARY = "head -c 200000000 /dev/urandom"
_TERMINAL = "seq 2000000"


def _bare_pipe(command: str) -> float:
    process = subprocess.Popen(["/bin/bash", "-c", command], stdout=subprocess.PIPE, bufsize=0)
    assert process.stdout is not None
    total, begun = 0, time.perf_counter()
    while chunk := os.read(process.stdout.fileno(), 1 << 16):
        total += len(chunk)
    process.wait()
    return total / (time.perf_counter() - begun)


def _bare_terminal(command: str) -> float:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        ["/bin/bash", "-c", command], stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    total, begun = 0, time.perf_counter()
    while True:
        try:
            total += len(os.read(master, 1 << 16))
        except OSError:
            break
    process.wait()
    os.close(master)
    return total / (time.perf_counter() - begun)


def _through(client: Client, job: str, command: str, **fields: Any) -> float:
    begun = time.perf_counter()
    result = client.run(job, command, max_output_bytes=0, timeout=0, **fields)
    took = time.perf_counter() - begun
    return float(result["bytes"]["stdout"] / took)


def throughput() -> list[Row]:
    """One command's output: text, base64, a terminal."""
    rows = []
    cases: list[tuple[str, str, Callable[[str], float], dict[str, Any], float]] = [
        ("output, UTF-8 text", _TEXT, _bare_pipe, {}, 0.5),
        ("output, base64 of binary", _BINARY, _bare_pipe, {"encoding": "base64"}, 0.35),
        ("output of a terminal", _TERMINAL, _bare_terminal, {"is_pty": True}, 0.85),
    ]
    with Daemon() as daemon:
        client = Client(daemon)
        for name, command, bare, fields, reach in cases:
            pairs = [
                (_through(client, f"{name}{turn}", command, **fields), bare(command))
                for turn in range(3)
            ]
            ratio = median([ours / theirs for ours, theirs in pairs])
            best = max(ours for ours, _ in pairs) / 1e6
            yard = max(theirs for _, theirs in pairs) / 1e6
            rows.append(
                Row(
                    name,
                    f"{ratio:.2f}",
                    f"≥ {reach}",
                    ratio >= reach,
                    f"{best:.0f} MB/s; bare {yard:.0f}",
                )
            )
    return rows
