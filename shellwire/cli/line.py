"""One line on the terminal behind stderr that is rewritten in place, and erased in the end."""

from __future__ import annotations

import contextlib
import os

from shellwire.output import printable


class _Line:
    """The line. It is on stderr, and nowhere if that is no terminal."""

    def __init__(self) -> None:
        self._length = 0

    def show(self, text: str) -> None:
        """Show this in place of what was shown before."""
        try:
            # A line that reaches the edge would go on in the next one, and stay.
            text = printable(f"shellwire: {text}")[: os.get_terminal_size(2).columns - 1]
        except OSError:
            return  # no terminal
        # Blanks erase what a terminal without escape sequences has, too.
        self._write(f"\r{text.ljust(self._length)}")
        self._length = len(text)

    def erase(self) -> None:
        """Leave nothing of it."""
        if self._length:
            self._write(f"\r{'':{self._length}}\r")
            self._length = 0

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the terminal has gone
            os.write(2, text.encode(errors="replace"))


line = _Line()
"""There is one, as there is one stderr. Whoever else writes there erases it before."""
