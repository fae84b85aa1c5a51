"""The chart as SVG: for each line of the comparison a row of dots on a logarithmic axis."""

from __future__ import annotations

import math
from typing import Any
from xml.sax.saxutils import escape

from bench.peers.environment import CACHE
from bench.tables import OURS, number

DRAFT = CACHE / "chart.svg"
"""The chart of the last run; docs/performance.md shows the one beside this file."""

_PANELS = ("paced", "state", "output", "echo50", "start", "idle")
_COLUMNS, _WIDTH, _HEAD = 2, 460, 44
_LEFT, _RIGHT, _TOP, _ROW, _BOTTOM = 142, 138, 48, 20, 26
_UNITS = ("s", "ms", "MiB")
_OWN, _OTHER, _TEXT, _FAINT, _GRID = "#c2410c", "#475569", "#0f172a", "#64748b", "#e2e8f0"


def draw(compared: dict[str, Any]) -> str:
    """Return the chart of a comparison."""
    lines = {line["key"]: line for line in compared["lines"]}
    names = list(compared["versions"])
    height = _TOP + _ROW * len(names) + _BOTTOM
    wide = _COLUMNS * _WIDTH
    high = _HEAD + math.ceil(len(_PANELS) / _COLUMNS) * height
    title = "What shellwire and its peers cost"
    run = "" if compared["scale"] >= 1 else f" A SHORT RUN, scale {compared['scale']}."
    origin = f"{compared['date']}, {compared['machine']}. Logarithmic axes.{run}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" '
        f'width="{wide}" height="{high}" font-family="system-ui, sans-serif">',
        f"<title>{title}</title>",
        f'<rect width="{wide}" height="{high}" fill="#ffffff"/>',
        _label(14, 20, title, _TEXT, 15, weight="600"),
        _label(14, 36, origin, _FAINT, 11),
    ]
    for index, key in enumerate(_PANELS):
        x, y = (index % _COLUMNS) * _WIDTH, _HEAD + (index // _COLUMNS) * height
        panel = _Panel(lines[key], names).draw()
        parts += [f'<g transform="translate({x} {y})">', *panel, "</g>"]
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


class _Panel:
    """One line of the table."""

    def __init__(self, line: dict[str, Any], names: list[str]) -> None:
        self._line = line
        self._names = names
        self._bottom = _TOP + _ROW * len(names)
        self._is_ratio = line["unit"] not in _UNITS
        values = [cell["value"] for cell in line["cells"].values() if cell["value"]]
        if self._is_ratio:
            values.append(1.0)
        self._low, self._high = _decades(values)

    def draw(self) -> list[str]:
        better = "less is better" if self._line["less"] else "more is better"
        parts = [
            _label(14, 22, self._line["what"].replace("`", ""), _TEXT, 13, weight="600"),
            _label(14, 38, f"{self._line['unit']}; {better}", _FAINT, 11),
        ]
        for power in range(self._low, self._high + 1):
            parts += self._tick(power)
        for index, name in enumerate(self._names):
            parts += self._entry(name, _TOP + _ROW * index + _ROW / 2)
        return parts

    def _across(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * share

    def _tick(self, power: int) -> list[str]:
        bare = self._is_ratio and power == 0
        x = self._across(10.0**power)
        text = "1 = bare" if bare else f"{10.0**power:g}"
        return [
            _line(x, _TOP, x, self._bottom, _FAINT if bare else _GRID),
            _label(x, self._bottom + 14, text, _FAINT, 10, anchor="middle"),
        ]

    def _entry(self, name: str, y: float) -> list[str]:
        colour, weight = (_OWN, "600") if name == OURS else (_OTHER, "400")
        cell = self._line["cells"][name]
        parts = [_label(_LEFT - 10, y + 4, name, colour, 12, anchor="end", weight=weight)]
        if not cell["value"]:
            return [*parts, _label(_LEFT + 4, y + 4, cell["reason"] or "0", _FAINT, 11)]
        x = self._across(cell["value"])
        # A ratio is drawn from 1: a logarithmic axis has no zero to start from.
        if self._is_ratio:
            parts.append(_line(self._across(1.0), y, x, y, colour, 2))
        note = cell["note"].partition(":")[0]
        label = f"{number(cell['value'])} {note}".rstrip()
        # The label stands right of the stem when the stem goes to the right of the dot.
        beside = max(x, self._across(1.0)) if self._is_ratio and cell["value"] < 1 else x
        return [
            *parts,
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>',
            _label(beside + 10, y + 4, label, colour, 12, weight=weight),
        ]


def _decades(values: list[float]) -> tuple[int, int]:
    """Return the powers of ten that enclose positive ``values``, at least one apart."""
    low = math.floor(math.log10(min(values)))
    return low, max(math.ceil(math.log10(max(values))), low + 1)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: int = 1) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{colour}" stroke-width="{width}"/>'
    )


def _label(
    x: float,
    y: float,
    text: str,
    colour: str,
    size: int,
    *,
    anchor: str = "start",
    weight: str = "400",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" '
        f'text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'
    )
