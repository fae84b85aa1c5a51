"""One line on the terminal behind stderr that is rewritten in place, and erased in the end."""

from __future__ import annotations

import contextlib
import os

from shellwire.output import printable

_WIDTH = 80


class _Line:
    """The line. It is on stderr, and nowhere if that is no terminal."""

    def __init__(self) -> None:
        self._shown = ""

    def show(self, text: str) -> None:
        """Show this in place of what was shown before."""
        try:
            # A line that reaches the edge would go on in the next one, and stay.
            # A terminal that was never told its size says 0.
            width = os.get_terminal_size(2).columns or _WIDTH
            text = printable(f"shellwire: {text}")[: width - 1]
        except OSError:
            return  # no terminal
        if text != self._shown:
            # Blanks erase what a terminal without escape sequences has, too.
            self._write(f"\r{text.ljust(len(self._shown))}")
            self._shown = text

    def erase(self) -> None:
        """Leave nothing of it."""
        if self._shown:
            self._write(f"\r{'':{len(self._shown)}}\r")
            self._shown = ""

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the terminal has gone
            os.write(2, text.encode(errors="replace"))


line = _Line()
"""There is one, as there is one stderr. Whoever else writes there erases it before."""
