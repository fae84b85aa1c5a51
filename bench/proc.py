"""Read a process's figures from ``/proc`` (proc(5)), and end processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

STOP_SECONDS = 10.0
"""Seconds that a process has to stop before it is killed."""


def rss(pids: Iterable[int]) -> int:
    """Return the total resident memory of the processes, in bytes."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) * 1024
    return total


def cpu(pid: int) -> float:
    """Return the seconds of processor time that the process's threads have used.

    They come from schedstat, which counts nanoseconds: one tick of ``stat`` is 10 ms, as much as an
    idle daemon may use in 5 s.
    """
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def descriptors(pid: int) -> int:
    """Return the number of open descriptors."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def zombies(pid: int) -> int:
    """Return how many children of ``pid`` have ended and were not waited for."""
    found = 0
    for child, (parent, _) in _processes().items():
        if parent == pid:
            with suppress(OSError):
                found += Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    return found


def _processes() -> dict[int, tuple[int, int]]:
    """Return the parent and the start time of each process, by its pid."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = Path(f"/proc/{name}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            found[int(name)] = (int(fields[1]), int(fields[19]))
    return found


def descendants(pid: int) -> dict[int, int]:
    """Return the start times of the processes below ``pid``, by their pids."""
    processes = _processes()
    found: dict[int, int] = {}
    above = {pid}
    while above:
        above = {child for child, (parent, _) in processes.items() if parent in above}
        found.update((child, processes[child][1]) for child in above)
    return found


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop ``process``, then kill those of its descendants that remain."""
    if process.poll() is not None:
        return
    below = descendants(process.pid)
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    left = _processes()
    for pid, started in below.items():
        if left.get(pid, (0, 0))[1] == started:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def await_port(port: int, process: subprocess.Popen[bytes], seconds: float = 30.0) -> None:
    """Wait until ``process`` listens on a loopback port.

    Raises:
        RuntimeError: the process has ended, or does not listen in time.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.002)
        else:
            return
    raise RuntimeError(f"the server does not listen on port {port}")


def free_port() -> int:
    """Return an unused loopback port, for a server that can't take port 0."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
