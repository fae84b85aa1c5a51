"""Tables, times and durations for people."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from shellwire.cli.printing import print_line
from shellwire.output import printable

if TYPE_CHECKING:
    from collections.abc import Iterable


def print_table(rows: Iterable[tuple[str, ...]]) -> None:
    """Print rows in aligned columns, with unprintable characters escaped."""
    rows = [tuple(map(printable, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print_line("  ".join(cells).rstrip())


def local_time(seconds: float | None) -> str:
    """Return a Unix time in this machine's time zone; a dash for None."""
    if seconds is None:
        return "-"
    try:
        return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):  # a daemon may send any number
        return "?"


def duration(seconds: float) -> str:
    """Return a duration in its largest whole unit: ``7 days``, ``90 min``, ``1.5 s``."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        count, rest = divmod(seconds, length)
        if count and not rest:
            return f"{count:g} {unit.removesuffix('s') if count == 1 else unit}"
    return f"{seconds:g} s"
