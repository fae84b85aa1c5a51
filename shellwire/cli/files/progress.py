"""The progress bar of a copy on a terminal: percentage, bytes, rate and time left."""

from __future__ import annotations

import os
import sys
import time

import click

from shellwire.cli.printing import print_line
from shellwire.output import printable

_REFRESH_SECONDS = 0.1
_SMOOTHING_SECONDS = 3.0
_DEFAULT_WIDTH = 80
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


class ProgressBar:
    """One line on stderr that is rewritten; nothing is shown if stderr is no terminal."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr is not None and sys.stderr.isatty()
        self._total = 0
        self._done = 0
        self._rate = 0.0
        self._shown_at = -_REFRESH_SECONDS
        self._advanced_at = time.monotonic()
        self._width = 0

    def add_total(self, count: int) -> None:
        """Add to the number of bytes to copy."""
        self._total += count

    def advance(self, name: str, count: int) -> None:
        """Add to the bytes copied, now of file ``name``; negative if some are sent again."""
        self._done += count
        now = time.monotonic()
        passed = max(now - self._advanced_at, 1e-6)
        self._advanced_at = now
        weight = min(1.0, passed / _SMOOTHING_SECONDS)
        self._rate += (max(0, count) / passed - self._rate) * weight
        if self._is_shown and now - self._shown_at >= _REFRESH_SECONDS:
            self._shown_at = now
            self._write(format_progress(name, self._done, self._total, self._rate))

    def print_line(self, text: str) -> None:
        """Erase the bar and print a line to stderr."""
        self.erase()
        print_line(text, err=True)

    def erase(self) -> None:
        """Erase the bar."""
        if self._is_shown and self._width:
            click.echo("\r" + " " * self._width + "\r", nl=False, err=True)
            self._width = 0

    def _write(self, text: str) -> None:
        try:
            columns = os.get_terminal_size(sys.stderr.fileno()).columns or _DEFAULT_WIDTH
        except OSError:
            columns = _DEFAULT_WIDTH
        text = text[-(columns - 1) :] if len(text) >= columns else text
        click.echo("\r" + text.ljust(self._width), nl=False, err=True)
        self._width = len(text)


def format_progress(name: str, done: int, total: int, rate: float) -> str:
    """Return the text of the bar. ``rate`` is in bytes per second."""
    percent = 100 if done >= total else 100 * done // total
    left = _clock((total - done) / rate) if rate > 1 and done < total else "--:--"
    speed = f"{format_bytes(rate)}/s"
    return f"{printable(name)}  {percent:3}%  {format_bytes(done)}  {speed}  {left} left"


def format_bytes(count: float) -> str:
    """Return a number of bytes with its unit, in seven to ten characters."""
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:
            break
        count /= 1024
    return f"{count:5.1f} {unit}" if unit != "B" else f"{count:5.0f} {unit}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(min(seconds, 359_999)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
