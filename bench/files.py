"""The cost of a file of 1 GiB by HTTP, against cat through a TCP connection on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench import proc
from bench.measure import Row, paced, pairs, percentile, ratio
from bench.wire import Client, Daemon, Keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measure import Effort

_TURNS = 5
_SIZE = 1 << 30
_ENTRIES = 100_000
_LISTINGS = 5
_BETWEEN_KEYS = 0.001
_MOST_MEMORY = 32 * 1024 * 1024


def _cat(source: Path, target: Path) -> float:
    """Copy a file through two cats and a connection; return bytes per second."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sending = socket.create_connection(server.getsockname())
        receiving, _ = server.accept()
    begun = time.perf_counter()
    with target.open("wb") as file, receiving:
        with sending:
            sender = subprocess.Popen(["cat", source], stdout=sending.fileno())
        receiver = subprocess.Popen(["cat"], stdin=receiving.fileno(), stdout=file)
    sender.wait()
    receiver.wait()
    took = time.perf_counter() - begun
    target.unlink()
    return source.stat().st_size / took


def _curl(daemon: Daemon, path: Path, *arguments: str | Path) -> float:
    """Run curl; return the seconds that it took."""
    url = f"http://127.0.0.1:{daemon.port}/files{path}"
    header = f"Authorization: Bearer {daemon.token}"
    begun = time.perf_counter()
    subprocess.run(["curl", "-sSf", "-H", header, *arguments, url], check=True)
    return time.perf_counter() - begun


def files(effort: Effort) -> list[Row]:
    """Measure downloads, uploads and a large directory, on tmpfs: the disk does not count."""
    size = effort.times(_SIZE, least=1 << 24)
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="shellwire-bench-", dir=place) as directory:
        source, target, copy = (Path(directory, name) for name in ("source", "target", "copy"))
        with source.open("wb") as file:
            for _ in range(size >> 20):
                file.write(os.urandom(1 << 20))
        with Daemon() as daemon:
            before = proc.rss([daemon.pid])

            def out() -> float:
                took = _curl(daemon, source, "-o", target)
                target.unlink()
                return source.stat().st_size / took

            def into() -> float:
                took = _curl(daemon, copy, "-T", source, "-o", "/dev/null")
                copy.unlink()
                return source.stat().st_size / took

            def row(what: str, ours: Callable[[], float]) -> Row:
                measured = pairs(ours, lambda: _cat(source, target), _TURNS)
                figure = ratio(measured)
                mine, base = (max(column) / 1e6 for column in zip(*measured, strict=True))
                detail = f"at best {mine:.0f} MB/s; cat {base:.0f}"
                return Row(what, f"{figure:.2f}", "≥ 0.6", figure >= 0.6, detail)

            rows = [row("a file by HTTP, out", out), row("a file by HTTP, in", into)]
            grown = proc.rss([daemon.pid]) - before
            figure = f"+{grown / 2**20:.1f} MiB"
            rows.append(Row("memory for both", figure, "< 32 MiB", grown < _MOST_MEMORY))
            return [*rows, *_listing(effort, daemon, Path(directory, "many"))]


def _listing(effort: Effort, daemon: Daemon, directory: Path) -> list[Row]:
    """Press keys while another client, then the same one, lists a large directory repeatedly."""
    entries = effort.times(_ENTRIES)
    directory.mkdir()
    for number in range(entries):
        (directory / f"{number:06}").touch()
    request = {"type": "fs_list", "id": "list", "root": str(directory)}
    listed = f"lists {entries:,} files"
    with Client(daemon, "typist") as typist, Client(daemon, "lister") as lister:
        keys = Keys(typist)
        paced(keys.press, 50, _BETWEEN_KEYS)

        def list_it() -> None:
            for _ in range(_LISTINGS):
                lister.send(request)
                lister.skip_message()

        listing = threading.Thread(target=list_it)
        listing.start()
        taken: list[float] = []
        while listing.is_alive():
            taken += paced(keys.press, 10, _BETWEEN_KEYS)
        listing.join()
        rows = [_slowest(f"slowest PTY echo while another client {listed}", taken)]
        taken = []
        for _ in range(_LISTINGS):
            typist.send(request)
            while not keys.skipped(b'"fs_result"'):
                taken += paced(keys.press, 10, _BETWEEN_KEYS)
        return [*rows, _slowest(f"slowest PTY echo while the same client {listed}", taken)]


def _slowest(what: str, taken: list[float]) -> Row:
    slowest = max(taken) * 1e3
    detail = f"of {len(taken)} keys; p99 {percentile(taken, 0.99) * 1e3:.1f} ms"
    return Row(what, f"{slowest:.1f} ms", "≤ 15 ms", slowest <= 15, detail)
