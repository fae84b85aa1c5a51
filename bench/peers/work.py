"""The work that each peer does, line by line, with its baseline."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import count
from statistics import fmean
from typing import TYPE_CHECKING

from bench import baselines
from bench.measure import (
    PACE,
    back_to_back,
    median,
    paced,
    pairs,
    percentile,
    ratio,
    spawn_bash,
    spawns_at_once,
)
from bench.peers.peer import Batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measure import Effort
    from bench.peers.peer import Peer

_LANES = 4
_FROZEN_SECONDS = 10.0
_FROZEN_MOST = 512 << 20
_numbers = count()


@dataclass(frozen=True)
class Line:
    """A line of the table. With ``less`` the smaller figure is better."""

    key: str
    what: str
    unit: str
    less: bool


@dataclass(frozen=True)
class Group:
    """Lines that are measured together, ``turns`` times, with a figure for each line.

    With ``fresh`` each turn gets a new, unstarted peer, which is closed afterwards.
    """

    measure: Callable[[Peer, Effort], list[float]]
    lines: tuple[Line, ...]
    turns: int = 1
    fresh: bool = False


def _beside(theirs: Callable[[], float], baseline: Callable[[], float]) -> list[float]:
    """Return a single line's figure: the ratio, measured in both orders."""
    return [ratio(pairs(theirs, baseline, 2))]


def _paced(peer: Peer, effort: Effort) -> list[float]:
    times = effort.times(20)
    batch = Batch([":"] * times, pace=PACE)
    return _beside(lambda: median(peer.run(batch)), lambda: median(paced(spawn_bash, times)))


def _back_to_back(peer: Peer, effort: Effort) -> list[float]:
    times = effort.times(50)
    batch = Batch([":"] * times)
    return _beside(lambda: fmean(peer.run(batch)), lambda: back_to_back(spawn_bash, times))


def _state(peer: Peer, effort: Effort) -> list[float]:
    times = effort.times(25)

    def commands() -> list[str]:
        # Each command fails unless it sees the variable that the previous one has set.
        first, *others = [next(_numbers) for _ in range(times)]
        return [f"export N={first}", *(f'test "$N" = {n - 1} && export N={n}' for n in others)]

    return _beside(
        lambda: fmean(peer.run(Batch(commands(), keep_state=True, budget=5))),
        lambda: back_to_back(lambda: spawn_bash('test "${N-1}" = 1 && export N=2'), times),
    )


def _at_once(peer: Peer, effort: Effort) -> list[float]:
    times = effort.times(50, least=10)
    return _beside(lambda: peer.at_once(_LANES, times), lambda: spawns_at_once(2 * times))


def _output(peer: Peer, effort: Effort) -> list[float]:
    command = f"seq 1 {effort.times(3_000_000, least=100_000)}"
    size = baselines.pipe(command).size
    return _beside(lambda: size / peer.output(command, size), lambda: baselines.pipe(command).rate)


def _terminal(peer: Peer, effort: Effort) -> list[float]:
    command = f"seq 1 {effort.times(300_000, least=10_000)}"
    size = baselines.terminal(command).size
    return _beside(
        lambda: size / peer.terminal(command, size), lambda: baselines.terminal(command).rate
    )


def _echo(peer: Peer, effort: Effort) -> list[float]:
    theirs: list[float] = []
    baseline: list[float] = []
    keys = peer.keys()
    with baselines.Keys() as own:
        paced(keys.press, 50, 0.001)
        paced(own.press, 50, 0.001)
        for _ in range(20):
            theirs += paced(keys.press, effort.times(50), 0.001)
            baseline += paced(own.press, effort.times(50), 0.001)
    return [median(theirs) / median(baseline), percentile(theirs, 0.99) * 1e3]


def _frozen(peer: Peer, effort: Effort) -> list[float]:
    peer.start()
    before = most = peer.rss()
    peer.flood()
    until = time.monotonic() + effort.seconds(_FROZEN_SECONDS)
    while time.monotonic() < until and most - before < _FROZEN_MOST:
        time.sleep(0.1)
        most = max(most, peer.rss())
    return [(most - before) / 2**20]


def _start(peer: Peer, effort: Effort) -> list[float]:
    begun = time.perf_counter()
    peer.start()
    took = time.perf_counter() - begun
    time.sleep(effort.seconds(2, least=0.5))
    return [took, peer.rss() / 2**20]


GROUPS = (
    Group(
        _paced,
        (Line("paced", "round trip of `:`, 4 ms apart", "× a bare spawn of bash", less=True),),
        turns=5,
    ),
    Group(
        _back_to_back,
        (Line("fast", "the same back to back", "× a bare spawn of bash", less=True),),
        turns=5,
    ),
    Group(
        _state,
        (
            Line(
                "state",
                "`export N=$k`, which the next sees",
                "× a bare spawn of bash",
                less=True,
            ),
        ),
        turns=5,
    ),
    Group(
        _at_once,
        (Line("four", "four at once: rate", "of bare spawns on all cores", less=False),),
        turns=3,
    ),
    Group(
        _output,
        (Line("output", "output of `seq 1 3000000`: rate", "of a bare pipe", less=False),),
        turns=3,
    ),
    Group(
        _terminal,
        (Line("terminal", "`seq 1 300000` on a terminal: rate", "of a bare PTY", less=False),),
        turns=3,
    ),
    Group(
        _echo,
        (
            Line("echo50", "PTY echo, p50", "× a bare PTY", less=True),
            Line("echo99", "PTY echo, p99", "ms", less=True),
        ),
    ),
    Group(
        _frozen,
        (Line("frozen", "client that never reads two `yes`, 10 s: memory", "MiB", less=True),),
        fresh=True,
    ),
    Group(
        _start,
        (
            Line("start", "start until the first answer", "s", less=True),
            Line("idle", "idle server: memory", "MiB", less=True),
        ),
        turns=3,
        fresh=True,
    ),
)
"""In order: groups that keep a terminal open come after those that need all our slots."""
