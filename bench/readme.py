"""Write the last results into the documents, between two markers in each."""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path
from typing import Any

from bench import chart, floors, results, tables, where
from bench.measure import Row
from bench.peers.compare import KINDS

_ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- bench: written by python -m bench --readme -->", "<!-- bench: end -->"
PROFILE = "<!-- profile: begin -->", "<!-- profile: end -->"
PARTS = "<!-- floors: begin -->", "<!-- floors: end -->"
_WIDTH = 100


def write() -> int:
    """Rewrite docs/performance.md, bench/README.md and the chart; return 1 without results."""
    stored = results.load()
    compared = stored.pop("peers", None)
    profile = stored.pop("where", None)
    parts = stored.pop("floors", None)
    if not compared or not stored:
        print("no results of this machine yet: run python -m bench first", file=sys.stderr)
        return 1
    left_out = [kind.name for kind in KINDS if kind.name not in compared["versions"]]
    if left_out:
        print(
            f"not compared with {', '.join(left_out)}: run python -m bench peers", file=sys.stderr
        )
        return 1
    (_ROOT / "bench" / "chart.svg").write_text(chart.draw(compared), encoding="utf-8")
    replace(_ROOT / "docs" / "performance.md", comparison(compared))
    replace(_ROOT / "bench" / "README.md", targets(stored))
    if profile:
        block = f"{_wrap(origin([profile]))}\n\n{where.table(profile)}"
        replace(_ROOT / "bench" / "README.md", block, *PROFILE)
    if parts:
        block = f"{_wrap(origin([parts]))}\n\n{floors.table(parts)}"
        replace(_ROOT / "bench" / "README.md", block, *PARTS)
    return 0


def replace(file: Path, block: str, begin: str = BEGIN, end: str = END) -> None:
    """Put ``block`` between two markers in ``file``.

    Raises:
        ValueError: the file has no markers.
    """
    text = file.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"{file} has no place for the results: {begin}")
    fresh = pattern.sub(lambda _: f"{begin}\n\n{block}\n\n{end}", text)
    file.write_text(fresh, encoding="utf-8")


def comparison(compared: dict[str, Any]) -> str:
    """Return the block of docs/performance.md."""
    lost = tables.losses(compared)
    parts = [
        _wrap(origin([compared])),
        "![What shellwire and its peers cost](../bench/chart.svg)",
        tables.peers(compared),
        "Where another is better:" if lost else "No other is better in any line.",
    ]
    if lost:
        parts.append("\n".join(_wrap(f"- {each}", "  ") for each in lost))
    return "\n\n".join(parts)


def targets(stored: results.Results) -> str:
    """Return the block of bench/README.md."""
    rows = [Row(**row) for each in stored.values() for row in each["rows"]]
    table = "\n".join([tables.TARGETS_HEAD, *map(tables.target, rows)])
    return f"{_wrap(origin(list(stored.values())))}\n\n{table}"


def origin(entries: list[dict[str, Any]]) -> str:
    """Return when, where and how the figures were measured."""
    dates = sorted({each["date"] for each in entries})
    text = (
        f"Measured {' to '.join(dict.fromkeys((dates[0], dates[-1])))} on {entries[0]['machine']}."
    )
    scales = {each["scale"] for each in entries}
    if min(scales) < 1:
        text += f" **A short run (scale {min(scales)}): these figures only show that it works.**"
    flags = sorted({each["flags"] for each in entries} - {""})
    if flags:
        text += f" The daemon ran with `{'`, `'.join(flags)}`."
    return text


def _wrap(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
