"""What every benchmark needs: the yardsticks, pairs, percentiles, and a row of the table."""

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
    """One line of the table. ``reach`` is what is to be reached, as it is written there."""

    what: str
    figure: str
    reach: str
    reached: bool
    detail: str = ""


@dataclass(frozen=True)
class Effort:
    """How much of the full work is done: 1.0 for figures that count, less to try the code."""

    scale: float = 1.0

    def times(self, full: int, least: int = 3) -> int:
        """Return how often something is done that is done ``full`` times at full scale."""
        return max(least, round(full * self.scale))

    def seconds(self, full: float, least: float = 1.0) -> float:
        """Return how long something takes that takes ``full`` seconds at full scale."""
        return max(least, full * self.scale)


def spawn_bash(command: str = ":") -> None:
    """The yardstick: a bare ``bash -c`` with posix_spawn, waited for."""
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
    """Return the seconds for each of ``times`` calls without a pause."""
    begun = time.perf_counter()
    for _ in range(times):
        act()
    return (time.perf_counter() - begun) / times


def at_once(acts: Sequence[Callable[[], object]], times: int) -> float:
    """Call each of ``acts`` ``times`` times in a thread of its own. Returns calls a second."""
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
    """The yardstick of what runs at once: bare spawns from a thread per processor, a second."""
    return at_once([spawn_bash] * (os.cpu_count() or 1), times)


def pairs(
    ours: Callable[[], float], bare: Callable[[], float], turns: int
) -> list[tuple[float, float]]:
    """Measure both ``turns`` times, next to each other and in changing order.

    The machine's speed drifts, and other things run on it: what lies side by side in time has met
    the same machine, and the changing order favours neither.
    """
    found = []
    for turn in range(turns):
        if turn % 2:
            yard = bare()
            found.append((ours(), yard))
        else:
            mine = ours()
            found.append((mine, bare()))
    return found


def ratio(measured: Sequence[tuple[float, float]]) -> float:
    """Return the middle one of the pairs' ratios."""
    return median([mine / yard for mine, yard in measured])


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` (0 to 1) of ``values`` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    """Return the middle value."""
    return statistics.median(values)
