"""The end of a terminal's input, told to whoever reads it in whatever mode."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shellwire.process.input_writer import Sink
    from shellwire.process.pty import Terminal

# A program sets the mode a little before or after it writes (readline: a prompt behind it, the end
# of a line before it). So the mode is looked at for half a second after each sign of life.
_LOOKS = 10
_APART = 0.05
# A program that is not ended by it, and writes for ever, is not told for ever.
_TIMES = 100


class TerminalEnd:
    """Sends VEOF, and again to who comes to the foreground, changes the mode, or reads keys.

    A terminal has no end of its own. VEOF that waits while ICANON is switched off or on is lost: it
    is kept as the end of a line, which a reader in the other mode does not know, or as a character,
    which is no end to it (termios(3)). A shell does that at each prompt and each command. So a
    shell whose input was at its end before its first prompt ends, what it runs finds the end too,
    and then the shell around it. Whatever else is typed ends this. Who reads lines gets one.
    """

    def __init__(self, terminal: Terminal, feeder: Sink) -> None:
        self._terminal = terminal
        self._feeder = feeder
        self._canonical: bool | None = None
        self._group: int | None = None
        self._left = 0
        self._times = 0
        self._timer: asyncio.TimerHandle | None = None

    def send(self, last: bytes) -> None:
        """Let its reader see end-of-file after the byte ``last``; empty is none."""
        self._feeder.write(self._terminal.eof(last))
        self._canonical = self._terminal.is_canonical()
        self._group = self._terminal.foreground_group()
        self._times = 0
        self.stir()

    def stir(self) -> None:
        """The terminal has shown a sign of life: look whether its mode has changed."""
        if self._canonical is None:
            return
        self._left = _LOOKS
        if self._timer is None:
            self._look()

    def stop(self) -> None:
        """Send it no more: something else is typed, or nobody reads any more."""
        self._canonical = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._canonical is None or self._feeder.closed or self._times >= _TIMES:
            return
        was = self._canonical, self._group
        self._canonical = self._terminal.is_canonical()
        if self._canonical is None:  # it is gone
            return
        self._group = self._terminal.foreground_group()
        self._left -= 1
        # Two changes of the mode between two looks don't show, but a command of an interactive
        # shell is a process group of its own.
        is_new = (self._canonical, self._group) != was
        if is_new or (self._left == 0 and not self._canonical):
            self._times += 1
            self._feeder.write(self._terminal.eof(b""))
        if self._left > 0:
            self._timer = asyncio.get_running_loop().call_later(_APART, self._look)
