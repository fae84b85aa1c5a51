"""The tables, the chart and a document's block, made from fixed results."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import shellwire
from bench import chart, cpu_profile, floors, readme, tables, where
from bench.measure import Effort, Row, pairs, percentile, ratio

KEYS = {"paced": "×", "state": "×", "output": "of", "echo50": "×", "start": "s", "idle": "MiB"}


def cell(value: float | None = None, reason: str = "", note: str = "") -> dict[str, Any]:
    return {"value": value, "reason": reason, "note": note}


@pytest.fixture
def compared() -> dict[str, Any]:
    cells = {"shellwire": cell(2.0), "other": cell(3.0, note="a note"), "none": cell(None, "<no>")}
    lines = [
        {"key": key, "what": f"the {key}", "unit": unit, "less": key != "output", "cells": cells}
        for key, unit in KEYS.items()
    ]
    return {
        "date": "2026-01-02",
        "machine": "a machine",
        "scale": 1.0,
        "flags": "",
        "versions": {"shellwire": "1", "other": "2", "none": "3"},
        "lines": lines,
    }


def test_the_comparison(compared: dict[str, Any]) -> None:
    head, _, versions, *lines = tables.peers(compared).splitlines()
    assert head == "| | shellwire | other | none |"
    assert versions == "| version | 1 | 2 | 3 |"
    assert lines[0] == "| the paced, × | **2.00** | 3.00 (a note) | <no> |"
    assert lines[2] == "| the output, of | 2.00 | **3.00** (a note) | <no> |"


def test_losses_are_listed(compared: dict[str, Any]) -> None:
    assert tables.losses(compared) == ["the output: other 3.00; ours 2.00 of."]
    compared["lines"][0]["cells"] = {
        **compared["lines"][0]["cells"],
        "shellwire": cell(None, "failed: gone"),
    }
    assert tables.losses(compared)[0] == "the paced: ours failed: gone."


def test_a_target() -> None:
    assert tables.target(Row("w", "1", "≤ 2", reached=True)) == "| w | 1 | ≤ 2 | yes |  |"
    assert tables.target(Row("w", "3", "≤ 2", False, "d")) == "| w | 3 | ≤ 2 | **no** | d |"


def test_the_chart_is_well_formed_and_shows_every_figure(compared: dict[str, Any]) -> None:
    root = ElementTree.fromstring(chart.draw(compared))
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("2.00") == texts.count("3.00 a note") == texts.count("<no>") == len(KEYS)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 2 * len(KEYS)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for group in root.iter("{http://www.w3.org/2000/svg}g"):
        for circle in group.iter("{http://www.w3.org/2000/svg}circle"):
            assert 0 < float(circle.attrib["cx"]) < width
            assert 0 < float(circle.attrib["cy"]) < height


def test_a_short_run_says_so(compared: dict[str, Any]) -> None:
    assert "short run" not in readme.comparison(compared)
    compared["scale"] = 0.1
    assert "short run" in readme.comparison(compared)
    assert "SHORT RUN" in chart.draw(compared)


def test_only_the_block_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    begin, end = readme.BEGIN, readme.END
    file.write_text(f"before\n{begin}\nold \\1\n{end}\nafter\n")
    readme.replace(file, "new \\1")
    readme.replace(file, "newer \\1")
    assert file.read_text() == f"before\n{begin}\n\nnewer \\1\n\n{end}\nafter\n"
    file.write_text("no place\n")
    with pytest.raises(ValueError, match="no place for the results"):
        readme.replace(file, "new")


def test_pairs_are_adjacent_in_alternating_order() -> None:
    order: list[str] = []

    def side(name: str, seconds: float) -> float:
        order.append(name)
        return seconds

    measured = pairs(lambda: side("ours", 1.0), lambda: side("bare", 2.0), 3)
    assert order == ["ours", "bare", "bare", "ours", "ours", "bare"]
    assert measured == [(1.0, 2.0)] * 3
    assert ratio(measured) == 0.5


def test_percentiles() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert (percentile(values, 0.99), percentile(values, 1.0)) == (100.0, 100.0)
    assert percentile(values, 0.5) == 51.0


def test_stages_add_up() -> None:
    points = [point for point in where.STAGES if point != "received"]
    # The loop passes "ended" for another process in between, and points of other commands.
    passed = [(point, 1000 * (number + 1)) for number, point in enumerate(points)]
    passed = sorted([*passed, ("ended", 1500), ("read", 50_000)], key=lambda each: each[1])
    stages = where.stages_of(passed, 0, 20_000)
    assert stages is not None
    assert list(stages) == list(where.STAGES)
    assert sum(stages.values()) == 20
    assert stages["ended"] == 1
    assert where.stages_of(passed, 30_000, 40_000) is None
    other = dict.fromkeys(stages, 10.0)
    mean = where.summed([other, stages, other])
    table = where.table({"stages": mean, "bare": 40.0})
    assert f"| **together** | **{sum(mean.values()):.0f}** |" in table


def test_a_real_daemon_passes_every_point() -> None:
    stages = where.where(Effort(0.001))["stages"]
    assert list(stages) == list(where.STAGES)
    assert all(microseconds > 0 for microseconds in stages.values())


@pytest.mark.parametrize(
    ("path", "begins"),
    [
        ("shell/launch.py", "starting the next shell"),
        ("shell/context.py", "the context"),
        ("jobs/pump.py", "events of pipes"),
        ("jobs/job.py", "the job"),
        ("server/app.py", "the connection"),
        ("daemon/journal.py", "the journal"),
        ("daemon/run.py", "the event loop"),
        ("/elsewhere/x.py", "the event loop"),
    ],
)
def test_the_parts_of_the_daemon(path: str, begins: str) -> None:
    names: dict[str, Any] = {}
    file = Path(shellwire.__file__).parent / path
    exec(compile("import sys\nframe = sys._getframe()", str(file), "exec"), names)
    assert cpu_profile.part_of(names["frame"]).startswith(begins)


@pytest.mark.long
def test_the_lower_bounds() -> None:
    found = floors.floors(Effort(0.001))
    coarse = {"shell_cpu", *cpu_profile.PARTS}  # counted in ticks
    assert all(value > 0 for name, value in found.items() if name not in coarse)
    table = floors.table({**found, "shell_cpu": 1500.0})
    assert table.count("\n| ") == 24
    assert "rate is no more than" in table
