"""The cost of a command, against starting a shell."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import count
from typing import TYPE_CHECKING

from bench.measure import (
    PACE,
    Row,
    at_once,
    back_to_back,
    median,
    paced,
    pairs,
    ratio,
    spawn_bash,
    spawns_at_once,
)
from bench.wire import Client, Daemon

if TYPE_CHECKING:
    from bench.measure import Effort

_numbers = count()


def _job() -> str:
    return f"j{next(_numbers)}"


def roundtrips(effort: Effort) -> list[Row]:
    """Measure ``:`` from one client, paced and back to back, then with state that changes."""
    with Daemon() as daemon, Client(daemon) as client:

        def colon() -> None:
            client.run(_job(), ":")

        def export() -> None:
            client.run(_job(), f"export N={next(_numbers)}")

        back_to_back(colon, 50)
        back_to_back(spawn_bash, 50)
        turns, each = 10, effort.times(40)
        slow = pairs(
            lambda: median(paced(colon, each, PACE)),
            lambda: median(paced(spawn_bash, each, PACE)),
            turns,
        )
        each = effort.times(50)
        fast = pairs(
            lambda: back_to_back(colon, each), lambda: back_to_back(spawn_bash, each), turns
        )
        changing = pairs(
            lambda: back_to_back(export, each), lambda: back_to_back(spawn_bash, each), turns
        )
    return [
        _row("round trip of `:`, 4 ms apart", slow, 0.5),
        _row("the same back to back", fast, 1.2),
        _row("back to back, `export N=$k`", changing, 1.2),
    ]


def _row(what: str, measured: list[tuple[float, float]], reach: float) -> Row:
    figure = ratio(measured)
    ours, bare = (median(column) * 1e3 for column in zip(*measured, strict=True))
    detail = f"{ours:.2f} ms; bare bash {bare:.2f} ms"
    return Row(what, f"{figure:.2f}", f"≤ {reach}", figure <= reach, detail)


def parallel(effort: Effort) -> list[Row]:
    """Measure four clients at once, against bare spawns from a thread per processor."""
    each = effort.times(250, least=10)
    with Daemon() as daemon, ExitStack() as stack:
        clients = [stack.enter_context(Client(daemon, f"c{number}")) for number in range(4)]
        acts = [lambda client=client: client.run(_job(), ":") for client in clients]
        at_once(acts, 10)
        measured = pairs(lambda: at_once(acts, each), lambda: spawns_at_once(2 * each), 3)
    figure = ratio(measured)
    ours, bare = (median(column) for column in zip(*measured, strict=True))
    detail = f"{ours:.0f} a second; bare spawns {bare:.0f}"
    return [Row("four clients at once, rate", f"{figure:.2f}", "≥ 0.8", figure >= 0.8, detail)]
