"""What the daemon costs while nothing happens, and after much has."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

from bench.measure import Row, median
from bench.wire import Client, Daemon


def idle(seconds: float = 20.0) -> list[Row]:
    """Memory and processor time of an idle daemon with one client connected."""
    with Daemon() as daemon:
        client = Client(daemon)
        client.run("one", ":")
        time.sleep(1)
        before = daemon.cpu()
        time.sleep(seconds)
        share = (daemon.cpu() - before) / seconds * 100
        rss = daemon.rss() / 2**20
    return [
        Row("idle: RSS", f"{rss:.1f} MiB", "≤ 45 MiB", rss <= 45),
        Row("idle: CPU", f"{share:.2f} %", "≤ 0.2 %", share <= 0.2),
    ]


def _whole(argv: list[str], env: dict[str, str] | None = None) -> float:
    begun = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env=env)
    return time.perf_counter() - begun


def starting() -> list[Row]:
    """``version`` against importing asyncio, and ``start --daemon`` until /health answers."""
    ratios = [
        _whole([sys.executable, "-m", "shellwire", "version"])
        / _whole([sys.executable, "-c", "import asyncio"])
        for _ in range(15)
    ]
    starts = []
    for _ in range(5):
        with tempfile.TemporaryDirectory(prefix="shellwire-bench-") as home:
            env = {**os.environ, "SHELLWIRE_HOME": home}
            starts.append(
                _whole([sys.executable, "-m", "shellwire", "start", "--daemon", "--port", "0"], env)
            )
            subprocess.run(
                [sys.executable, "-m", "shellwire", "stop"],
                check=True,
                env=env,
                stdout=subprocess.DEVNULL,
            )
    ratio, start = median(ratios), median(starts)
    return [
        Row("`version`, × importing asyncio", f"{ratio:.2f}", "≤ 2.5", ratio <= 2.5),
        Row("`start --daemon` until /health", f"{start:.2f} s", "≤ 0.7 s", start <= 0.7),
    ]


def many(times: int = 10_000) -> list[Row]:
    """Memory and descriptors over many commands."""
    with Daemon() as daemon:
        client = Client(daemon)
        for number in range(1000):
            client.run(f"w{number}", "echo hello")
        rss, descriptors = daemon.rss(), daemon.descriptors()
        for number in range(times - 1000):
            client.run(f"m{number}", "echo hello")
        grown = (daemon.rss() - rss) / 2**20
        more = daemon.descriptors() - descriptors
    return [
        Row(f"{times} commands: RSS", f"{grown:+.2f} MiB", "±2 MiB", abs(grown) <= 2),
        Row(f"{times} commands: descriptors", f"{more:+d}", "0", more <= 0),
    ]
