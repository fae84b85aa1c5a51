"""How far a copy is, on a terminal: what has gone, how fast, and how long it will take."""

from __future__ import annotations

import os
import sys
import time

import click

from shellwire.cli.say import say
from shellwire.output import printable

_PAUSE = 0.1
_SMOOTH = 3.0
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


class Bar:
    """One line on stderr that is written anew; nothing where that is no terminal."""

    def __init__(self) -> None:
        self._shows = sys.stderr is not None and sys.stderr.isatty()
        self._total = 0
        self._done = 0
        self._rate = 0.0
        self._said = -_PAUSE
        self._last = time.monotonic()
        self._width = 0

    def expect(self, total: int) -> None:
        """So many bytes are to be copied."""
        self._total += total

    def advance(self, name: str, count: int) -> None:
        """So many more have gone, of this file; negative if they must go once more."""
        self._done += count
        now = time.monotonic()
        passed = max(now - self._last, 1e-6)
        self._last = now
        weight = min(1.0, passed / _SMOOTH)
        self._rate += (max(0, count) / passed - self._rate) * weight
        if self._shows and now - self._said >= _PAUSE:
            self._said = now
            self._write(line(name, self._done, self._total, self._rate))

    def tell(self, text: str) -> None:
        """Print a line that stays."""
        self.clear()
        say(text, err=True)

    def clear(self) -> None:
        """Leave nothing of it."""
        if self._shows and self._width:
            click.echo("\r" + " " * self._width + "\r", nl=False, err=True)
            self._width = 0

    def _write(self, text: str) -> None:
        try:
            columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80
        except OSError:
            columns = 80
        text = text[-(columns - 1) :] if len(text) >= columns else text
        click.echo("\r" + text.ljust(self._width), nl=False, err=True)
        self._width = len(text)


def line(name: str, done: int, total: int, rate: float) -> str:
    """Return what the bar says. ``rate`` is in bytes per second."""
    share = 100 if done >= total else 100 * done // total
    left = _clock((total - done) / rate) if rate > 1 and done < total else "--:--"
    return f"{printable(name)}  {share:3}%  {amount(done)}  {amount(rate)}/s  {left} left"


def amount(count: float) -> str:
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
