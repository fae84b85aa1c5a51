"""Shared by all benchmarks: the baselines, pairs, percentiles, and a row of the table."""

from __future__ import annotations

import os
import statistics
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PACE = 0.004
"""Seconds between two paced commands."""


@dataclass(frozen=True)
class Row:
    """One line of the table. ``reach`` is the target as text, ``reached`` whether it was met."""

    what: str
    figure: str
    reach: str
    reached: bool
    detail: str = ""


@dataclass(frozen=True)
class Effort:
    """The share of the full work to do: 1.0 for valid figures, less to try the code."""

    scale: float = 1.0

    def times(self, full: int, least: int = 3) -> int:
        """Return the scaled count of something done ``full`` times at full scale."""
        return max(least, round(full * self.scale))

    def seconds(self, full: float, least: float = 1.0) -> float:
        """Return the scaled duration of something that takes ``full`` seconds at full scale."""
        return max(least, full * self.scale)


def spawn_bash(command: str = ":") -> None:
    """Run the baseline: a bare ``bash -c`` with posix_spawn and waitpid."""
    pid = os.posix_spawn("/bin/bash", ["bash", "-c", command], os.environ)
    os.waitpid(pid, 0)


def paced(act: Callable[[], object], times: int, pace: float = PACE) -> list[float]:
    """Return the seconds that each of ``times`` calls took, ``pace`` seconds apart."""
    taken = []
    for _ in range(times):
        if pace:
            time.sleep(pace)
        begun = time.perf_counter()
        act()
        taken.append(time.perf_counter() - begun)
    return taken


def back_to_back(act: Callable[[], object], times: int) -> float:
    """Return the mean seconds of ``times`` calls without a pause."""
    begun = time.perf_counter()
    for _ in range(times):
        act()
    return (time.perf_counter() - begun) / times


def at_once(acts: Sequence[Callable[[], object]], times: int) -> float:
    """Call each of ``acts`` ``times`` times, each in its own thread. Returns calls per second."""
    failures: list[BaseException] = []

    def lane(act: Callable[[], object]) -> None:
        try:
            for _ in range(times):
                act()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=lane, args=(act,)) for act in acts]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begun
    if failures:
        raise failures[0]
    return len(acts) * times / took


def spawns_at_once(times: int) -> float:
    """Run the parallel baseline. Returns bare spawns per second, with a thread per processor."""
    return at_once([spawn_bash] * (os.cpu_count() or 1), times)


def pairs(
    ours: Callable[[], float], bare: Callable[[], float], turns: int
) -> list[tuple[float, float]]:
    """Measure both ``turns`` times, one right after the other, in alternating order.

    The machine's speed drifts, and other programs run on it: two adjacent measurements see the same
    machine, and the alternating order favours neither.
    """
    found = []
    for turn in range(turns):
        if turn % 2:
            base = bare()
            found.append((ours(), base))
        else:
            mine = ours()
            found.append((mine, bare()))
    return found


def ratio(measured: Sequence[tuple[float, float]]) -> float:
    """Return the median of the pairs' ratios."""
    return median([mine / base for mine, base in measured])


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` (0 to 1) of ``values`` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)
