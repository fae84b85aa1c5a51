"""Tables and times, as people read them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from shellwire.cli.say import say
from shellwire.output import printable

if TYPE_CHECKING:
    from collections.abc import Iterable


def print_table(rows: Iterable[tuple[str, ...]]) -> None:
    """Print rows in columns, each as wide as it must be; what does not print is escaped."""
    rows = [tuple(map(printable, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say("  ".join(cells).rstrip())


def local_time(seconds: float | None) -> str:
    """Return a time since 1970 in this machine's zone; a dash for none."""
    if seconds is None:
        return "-"
    try:
        return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):  # a daemon may say anything
        return "?"


def duration(seconds: float) -> str:
    """Return a duration in its largest whole unit: ``7 days``, ``90 min``, ``1.5 s``."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        count, rest = divmod(seconds, length)
        if count and not rest:
            return f"{count:g} {unit.removesuffix('s') if count == 1 else unit}"
    return f"{seconds:g} s"
