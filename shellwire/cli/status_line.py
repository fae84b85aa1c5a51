"""A status line on the terminal: rewritten in place, erased at the end."""

from __future__ import annotations

import contextlib
import os

from shellwire.output import printable

_DEFAULT_WIDTH = 80


class StatusLine:
    """The status line on stderr; nothing is shown if stderr is no terminal."""

    def __init__(self) -> None:
        self._shown = ""

    def show(self, text: str) -> None:
        """Replace the line by ``text``."""
        try:
            # Text that reaches the right edge would wrap into a line that is not erased.
            # A terminal whose size was never set reports 0 columns.
            width = os.get_terminal_size(2).columns or _DEFAULT_WIDTH
            text = printable(f"shellwire: {text}")[: width - 1]
        except OSError:
            return  # no terminal
        if text != self._shown:
            # Blanks also work on terminals without escape sequences.
            self._write(f"\r{text.ljust(len(self._shown))}")
            self._shown = text

    def erase(self) -> None:
        """Erase the line."""
        if self._shown:
            self._write(f"\r{'':{len(self._shown)}}\r")
            self._shown = ""

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the terminal has gone
            os.write(2, text.encode(errors="replace"))


status_line = StatusLine()
"""The only one, as there is one stderr. Erase it before writing anything else there."""
