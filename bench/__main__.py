"""``python -m bench [NAME …]``: run the benchmarks, print their tables and draw the chart."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from typing import TYPE_CHECKING

from bench import (
    chart,
    commands,
    files,
    floors,
    latency,
    launch,
    output,
    readme,
    resources,
    results,
    soak,
    tables,
    where,
    wire,
)
from bench.measure import Effort
from bench.peers.compare import KINDS, compare

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measure import Row

BENCHMARKS: dict[str, Callable[[Effort], list[Row]]] = {
    "roundtrips": commands.roundtrips,
    "parallel": commands.parallel,
    "throughput": output.throughput,
    "echo": latency.echo,
    "frozen": latency.frozen,
    "idle": resources.idle,
    "starting": resources.starting,
    "launch": launch.launch,
    "many": resources.many,
    "files": files.files,
}
PEERS = "peers"
WHERE = "where"
FLOORS = "floors"
SOAK = "soak"
"""Runs only by name: it takes minutes, and no document shows its figures."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    names = [*BENCHMARKS, WHERE, FLOORS, PEERS, SOAK]
    parser.add_argument(
        "names", nargs="*", metavar="NAME", choices=[[], *names], help=f"any of {', '.join(names)}"
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, help="share of the full counts; below 1 to try the code"
    )
    parser.add_argument(
        "--flags",
        type=shlex.split,
        default=[],
        help="options to add to the daemons of this checkout",
    )
    parser.add_argument(
        "--peer",
        action="append",
        choices=[kind.name for kind in KINDS],
        help="compare only this peer, and store no result; repeatable",
    )
    parser.add_argument(
        "--readme",
        action="store_true",
        help="measure nothing; write the last results into docs/performance.md and bench/",
    )
    return parser


def main(arguments: list[str]) -> int:
    """Run the named benchmarks, or all of them. Returns 1 if a target was missed."""
    options = _parser().parse_args(arguments)
    # SystemExit unwinds the stack, so each benchmark ends the processes that it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if options.readme:
        return readme.write()
    wire.FLAGS[:] = options.flags
    effort = Effort(options.scale)
    names = options.names or [*BENCHMARKS, WHERE, FLOORS, PEERS]
    missed = 0
    own = [name for name in names if name in BENCHMARKS]
    if own:
        print(tables.TARGETS_HEAD)
    for name in own:
        rows = BENCHMARKS[name](effort)
        missed += sum(not row.reached for row in rows)
        print("\n".join(map(tables.target, rows)), flush=True)
        results.store(name, results.entry(results.of_rows(rows), options.scale))
    if SOAK in names:
        rows = soak.soak(effort)
        missed += sum(not row.reached for row in rows)
        print("\n".join((tables.TARGETS_HEAD, *map(tables.target, rows))))
    if WHERE in names:
        stages = results.entry(where.where(effort), options.scale)
        results.store(WHERE, stages)
        print(f"\n{where.table(stages)}")
    if FLOORS in names:
        parts = results.entry(floors.floors(effort), options.scale)
        results.store(FLOORS, parts)
        print(f"\n{floors.table(parts)}")
    if PEERS in names:
        compared = results.entry(compare(effort, options.peer or ()), options.scale)
        if not options.peer:
            results.store(PEERS, compared)
        print(f"\n{tables.peers(compared)}\n")
        chart.DRAFT.write_text(chart.draw(compared), encoding="utf-8")
        print(f"chart: {chart.DRAFT}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
