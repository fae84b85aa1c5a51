"""The tables in Markdown, and sentences about the lines in which another peer is better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.measure import Row

TARGETS_HEAD = "| what | measured | target | | |\n|---|---|---|---|---|"

OURS = "shellwire"
"""The name of our column."""

_CLEARLY = 1.05
"""The factor from which another peer counts as better: a smaller difference is noise."""


def target(row: Row) -> str:
    """Return the table row of one target."""
    mark = "yes" if row.reached else "**no**"
    return f"| {row.what} | {row.figure} | {row.reach} | {mark} | {row.detail} |"


def number(value: float) -> str:
    """Return a figure with about three digits."""
    return f"{value:.{2 if abs(value) < 10 else 1 if abs(value) < 100 else 0}f}"


def peers(compared: dict[str, Any]) -> str:
    """Return the comparison: a column for each peer, the best figure of each line in bold."""
    names = list(compared["versions"])
    lines = [f"| | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    versions = (compared["versions"][name] for name in names)
    lines.append(f"| version | {' | '.join(versions)} |")
    for line in compared["lines"]:
        best = _best(line)
        cells = (_cell(line["cells"][name], best) for name in names)
        lines.append(f"| {line['what']}, {line['unit']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(cell: dict[str, Any], best: float | None) -> str:
    if cell["value"] is None:
        return str(cell["reason"])
    text = number(cell["value"])
    if cell["value"] == best:
        text = f"**{text}**"
    return f"{text} ({cell['note']})" if cell["note"] else text


def _best(line: dict[str, Any]) -> float | None:
    values = [each["value"] for each in line["cells"].values() if each["value"] is not None]
    pick = min if line["less"] else max
    return pick(values, default=None)


def losses(compared: dict[str, Any]) -> list[str]:
    """Return a sentence for each line in which another peer is clearly better than shellwire."""
    found = []
    for line in compared["lines"]:
        own = line["cells"][OURS]["value"]
        if own is None:
            found.append(f"{line['what']}: ours {line['cells'][OURS]['reason']}.")
            continue
        better = [
            f"{name} {number(cell['value'])}"
            for name, cell in line["cells"].items()
            if name != OURS and _beats(cell["value"], own, less=line["less"])
        ]
        if better:
            unit = line["unit"]
            found.append(f"{line['what']}: {', '.join(better)}; ours {number(own)} {unit}.")
    return found


def _beats(value: float | None, own: float, *, less: bool) -> bool:
    if value is None:
        return False
    return value * _CLEARLY < own if less else value > own * _CLEARLY
