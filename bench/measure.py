"""What every benchmark needs: the yardsticks, percentiles, and a row of the table."""

from __future__ import annotations

import os
import statistics
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


def spawn_bash(command: str = ":") -> None:
    """The yardstick: a bare ``bash -c`` with posix_spawn, waited for."""
    pid = os.posix_spawn("/bin/bash", ["bash", "-c", command], os.environ)
    os.waitpid(pid, 0)


def paced(act: Callable[[], object], times: int) -> list[float]:
    """Return the seconds that each of ``times`` calls took, PACE apart."""
    taken = []
    for _ in range(times):
        time.sleep(PACE)
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


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` (0 to 1) of ``values`` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    """Return the middle value."""
    return statistics.median(values)
