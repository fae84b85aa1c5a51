"""The time of one round trip, split into the stages that a command passes."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.measure import PACE, median, paced, spawn_bash
from bench.wire import Client, Daemon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.measure import Effort

STAGES = {
    "read": "the client sends; the loop wakes, aiohttp reads the frame and wakes the connection",
    "ready": "the daemon decodes the message, admits it, makes a job and takes a waiting shell",
    "command_sent": "the daemon sends the command to the shell (one write, which wakes it)",
    "ended": "bash evaluates the command and reports its state; the loop wakes",
    "concluded": "the pipes are drained, the report is compared, the job ends",
    "writing": "the loop switches to the connection's writer",
    "written": "the result is encoded, framed and sent",
    "received": "the client wakes and parses the result",
}
"""The stage that ends at each point, in order."""

_MIDDLE = 0.2


def where(effort: Effort) -> dict[str, Any]:
    """Measure ``:``, 4 ms apart. Returns the microseconds of each stage and of a bare spawn."""
    times = effort.times(1000, least=20)
    with tempfile.TemporaryDirectory(prefix="shellwire-bench-") as directory:
        file = Path(directory) / "points"
        spans = []
        program = [sys.executable, "-m", "bench.instrumented", str(file)]
        with Daemon(program) as daemon, Client(daemon) as client:
            for number in range(times + 50):
                time.sleep(PACE)
                begun = time.perf_counter_ns()
                client.run(f"j{number}", ":")
                spans.append((begun, time.perf_counter_ns()))
        passed = [(point, when) for point, when in json.loads(file.read_text())]
    passed.sort(key=lambda each: each[1])
    stages = summed([found for span in spans[50:] if (found := stages_of(passed, *span))])
    bare = median(paced(spawn_bash, times)) * 1e6
    return {"stages": stages, "bare": bare}


def stages_of(
    passed: Sequence[tuple[str, int]], begun: int, received: int
) -> dict[str, float] | None:
    """Return the microseconds of each stage of one command; None if a point is missing.

    ``passed`` is sorted by time, all in nanoseconds.
    """
    clock = [when for _, when in passed]
    within = passed[bisect_left(clock, begun) : bisect_right(clock, received)]
    at = begun
    found = {}
    # Take each point once, after the previous one: the loop passes points for other work too.
    for point in STAGES:
        if point == "received":
            when: int | None = received
        else:
            when = next((time for name, time in within if name == point and time >= at), None)
        if when is None:
            return None
        found[point] = (when - at) / 1e3
        at = when
    return found


def summed(commands: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the mean stages of the commands around the median, so that they add up."""
    ordered = sorted(commands, key=lambda stages: sum(stages.values()))
    aside = round(len(ordered) * (1 - _MIDDLE) / 2)
    middle = ordered[aside : len(ordered) - aside]
    return {point: sum(stages[point] for stages in middle) / len(middle) for point in STAGES}


def table(measured: dict[str, Any]) -> str:
    """Return the stages in Markdown, with their sum."""
    stages, bare = measured["stages"], measured["bare"]
    lines = ["| stage | µs | of a bare bash |", "|---|---:|---:|"]
    for point, text in STAGES.items():
        lines.append(f"| {text} | {stages[point]:.0f} | {stages[point] / bare:.2f} |")
    total = sum(stages.values())
    lines.append(f"| **together** | **{total:.0f}** | **{total / bare:.2f}** |")
    lines.append(f"| a bare `bash -c :` | {bare:.0f} | 1 |")
    return "\n".join(lines)
