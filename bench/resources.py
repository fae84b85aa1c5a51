"""The daemon's resource use: idle, at the start, and after many commands."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

from bench import proc
from bench.measure import Row, median, pairs, ratio
from bench.wire import FLAGS, Client, Daemon

if TYPE_CHECKING:
    from bench.measure import Effort

_SHELLWIRE = (sys.executable, "-m", "shellwire")
_ASYNCIO = (sys.executable, "-c", "import asyncio")


def idle(effort: Effort) -> list[Row]:
    """Measure memory and processor time of an idle daemon with one connected client."""
    seconds = effort.seconds(30)
    with Daemon() as daemon, Client(daemon) as client:
        client.run("one", ":")
        time.sleep(1)
        before = proc.cpu(daemon.pid)
        time.sleep(seconds)
        share = (proc.cpu(daemon.pid) - before) / seconds * 100
        rss = proc.rss([daemon.pid]) / 2**20
    return [
        Row("idle: RSS", f"{rss:.1f} MiB", "≤ 45 MiB", rss <= 45),
        Row("idle: CPU", f"{share:.2f} %", "≤ 0.2 %", share <= 0.2, f"over {seconds:.0f} s"),
    ]


def _seconds(argv: tuple[str, ...], env: dict[str, str] | None = None) -> float:
    begun = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env=env, timeout=60)
    return time.perf_counter() - begun


def starting(effort: Effort) -> list[Row]:
    """Measure ``version`` against an import, and ``start --daemon`` until /health."""
    measured = pairs(
        lambda: _seconds((*_SHELLWIRE, "version")), lambda: _seconds(_ASYNCIO), effort.times(20)
    )
    starts = []
    for _ in range(effort.times(7)):
        with tempfile.TemporaryDirectory(prefix="shellwire-bench-") as home:
            env = {**os.environ, "SHELLWIRE_HOME": home}
            try:  # it returns when /health has answered
                starts.append(
                    _seconds((*_SHELLWIRE, "start", "--daemon", "--port", "0", *FLAGS), env)
                )
            finally:
                _seconds((*_SHELLWIRE, "stop"), env)
    figure, start = ratio(measured), median(starts)
    version = median([mine for mine, _ in measured]) * 1e3
    return [
        Row(
            "`version`, × importing asyncio",
            f"{figure:.2f}",
            "≤ 2.5",
            figure <= 2.5,
            f"{version:.0f} ms",
        ),
        Row("`start --daemon` until /health", f"{start:.2f} s", "≤ 0.7 s", start <= 0.7),
    ]


def many(effort: Effort) -> list[Row]:
    """Measure the growth of memory and descriptors over many commands."""
    first, times = effort.times(1000), effort.times(10_000)
    with Daemon() as daemon, Client(daemon) as client:
        for number in range(first):
            client.run(f"w{number}", "echo hello")
        rss, descriptors = proc.rss([daemon.pid]), proc.descriptors(daemon.pid)
        for number in range(first, times):
            client.run(f"m{number}", "echo hello")
        grown = (proc.rss([daemon.pid]) - rss) / 2**20
        more = proc.descriptors(daemon.pid) - descriptors
    after = f"after the first {first:,}"
    return [
        Row(f"{times:,} commands: RSS", f"{grown:+.2f} MiB", "±2 MiB", abs(grown) <= 2, after),
        Row(f"{times:,} commands: descriptors", f"{more:+d}", "0", more <= 0, after),
    ]
