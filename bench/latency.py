"""Latency of keystrokes and cancels, alone and beside floods; the cost of a frozen client."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench import baselines, proc
from bench.measure import Row, median, paced, percentile
from bench.wire import Client, Daemon, Keys

if TYPE_CHECKING:
    from bench.measure import Effort

_BETWEEN_KEYS = 0.001
_BESIDE_A_FROZEN_CLIENT = 0.004


def echo(effort: Effort) -> list[Row]:
    """Measure keystrokes to ``cat`` on a raw terminal and back, alone and beside two floods."""
    with Daemon() as daemon, Client(daemon) as client, baselines.Keys() as baseline:
        keys = Keys(client)
        paced(keys.press, 100, _BETWEEN_KEYS)
        paced(baseline.press, 100, _BETWEEN_KEYS)
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(20):
            ours += paced(keys.press, effort.times(50), _BETWEEN_KEYS)
            theirs += paced(baseline.press, effort.times(50), _BETWEEN_KEYS)
        client.flood("f1", "f2")
        beside = percentile(paced(keys.press, effort.times(300, 20), _BETWEEN_KEYS), 0.99) * 1e3
        cancel = _cancel(client, effort.times(10)) * 1e3
    middle = median(ours) / median(theirs)
    slow = (percentile(ours, 0.99) - percentile(theirs, 0.99)) * 1e3
    return [
        Row(
            "PTY echo p50, × a bare PTY's",
            f"{middle:.1f}",
            "≤ 3",
            middle <= 3,
            f"{median(ours) * 1e6:.0f} µs; bare {median(theirs) * 1e6:.0f} µs",
        ),
        Row("PTY echo p99, beyond a bare PTY's", f"{slow:.2f} ms", "≤ 1 ms", slow <= 1),
        Row("PTY echo p99 beside two floods", f"{beside:.1f} ms", "≤ 15 ms", beside <= 15),
        Row("cancel of a flooding job, slowest", f"{cancel:.0f} ms", "≤ 100 ms", cancel <= 100),
    ]


def _cancel(client: Client, times: int) -> float:
    """Cancel one of two floods and restart it, ``times`` times. Returns the slowest in seconds."""
    slowest = 0.0
    for number in range(times):
        job = "f1" if number == 0 else f"again{number}"
        begun = time.perf_counter()
        client.send({"type": "cancel_command", "id": job})
        reason = client.await_type(b"result")["reason"]
        slowest = max(slowest, time.perf_counter() - begun)
        assert reason == "cancelled", reason
        client.flood(f"again{number + 1}")
        while b'"again%d"' % (number + 1) not in client.receive_raw()[:160]:
            pass
    return slowest


def frozen(effort: Effort) -> list[Row]:
    """Measure a client that never reads two ``yes``, and another client's keystrokes meanwhile."""
    seconds = effort.seconds(60, least=3)
    with (
        Daemon() as daemon,
        Client(daemon, "other") as other,
        Client(daemon, "frozen") as client,
    ):
        keys = Keys(other)
        paced(keys.press, 50, _BESIDE_A_FROZEN_CLIENT)
        before = most = proc.rss([daemon.pid])
        client.flood("f1", "f2")
        taken: list[float] = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            taken += paced(keys.press, 100, _BESIDE_A_FROZEN_CLIENT)
            most = max(most, proc.rss([daemon.pid]))
    grown = (most - before) / 2**20
    slow = percentile(taken, 0.99) * 1e3
    return [
        Row(
            f"client that never reads, {seconds:.0f} s: RSS",
            f"+{grown:.1f} MiB",
            "< 16 MiB",
            grown < 16,
            "peak",
        ),
        Row("another client's echo p99 meanwhile", f"{slow:.1f} ms", "≤ 5 ms", slow <= 5),
    ]
