"""``python -m bench [NAME …]``: run the benchmarks and print their table."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench import commands, latency, output, standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measure import Row

BENCHMARKS: dict[str, Callable[[], list[Row]]] = {
    "roundtrips": commands.roundtrips,
    "parallel": commands.parallel,
    "throughput": output.throughput,
    "echo": latency.echo,
    "frozen": latency.frozen,
    "idle": standing.idle,
    "starting": standing.starting,
    "many": standing.many,
}


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all. Returns 1 if a target was missed, 2 for a wrong name."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
        return 2
    print("| what | measured | to reach | | |\n|---|---|---|---|---|")
    missed = 0
    for name in names or BENCHMARKS:
        for row in BENCHMARKS[name]():
            mark = "yes" if row.reached else "NO"
            missed += not row.reached
            print(
                f"| {row.what} | {row.figure} | {row.reach} | {mark} | {row.detail} |", flush=True
            )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
