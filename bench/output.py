"""The cost of output, against a bare pipe and a bare terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from bench import baselines
from bench.measure import Row, pairs, ratio
from bench.wire import Client, Daemon

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measure import Effort

_TURNS = 5


def _rate(client: Client, job: str, command: str, fields: dict[str, Any]) -> float:
    begun = time.perf_counter()
    result = client.run(job, command, max_output_bytes=0, timeout=0, **fields)
    took = time.perf_counter() - begun
    return float(result["bytes"]["stdout"] / took)


def throughput(effort: Effort) -> list[Row]:
    """Measure one command's output as text, as base64 and on a terminal."""
    text = f"seq {effort.times(20_000_000)}"
    binary = f"head -c {effort.times(200_000_000)} /dev/urandom"
    typed = f"seq {effort.times(2_000_000)}"
    with Daemon() as daemon, Client(daemon) as client:

        def row(
            what: str,
            command: str,
            baseline: Callable[[str], baselines.Transfer],
            reach: float,
            **fields: Any,
        ) -> Row:
            jobs = iter(f"{what} {turn}" for turn in range(_TURNS))
            measured = pairs(
                lambda: _rate(client, next(jobs), command, fields),
                lambda: baseline(command).rate,
                _TURNS,
            )
            figure = ratio(measured)
            ours, base = (max(column) / 1e6 for column in zip(*measured, strict=True))
            detail = f"at best {ours:.0f} MB/s; bare {base:.0f}"
            return Row(what, f"{figure:.2f}", f"≥ {reach}", figure >= reach, detail)

        return [
            row("output, UTF-8 text", text, baselines.pipe, 0.5),
            row("output, base64 of binary", binary, baselines.pipe, 0.35, encoding="base64"),
            row("output of a terminal", typed, baselines.terminal, 0.85, is_pty=True),
        ]
