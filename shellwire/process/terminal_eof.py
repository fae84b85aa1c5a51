"""End-of-file on a terminal's input, for readers in canonical and in raw mode."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shellwire.process.input_writer import Sink
    from shellwire.process.pty import Terminal

# A program changes the mode a little before or after it writes (readline: before the end of a line,
# after a prompt). So the mode is polled for half a second after each output.
_CHECKS = 10
_INTERVAL = 0.05
# A program that ignores VEOF and writes for ever gets it only so many times.
_MAX_SENDS = 100


class TerminalEof:
    """The end of a terminal's input: VEOF, sent again whenever its reader may have missed it.

    A terminal has no end of its own, and a VEOF that waits while ICANON is switched on or off is
    lost: the kernel keeps it as the end of a line, which a reader in raw mode does not see, or as
    an ordinary character, which is no end to it (termios(3)). A shell switches ICANON at each
    prompt and each command. So VEOF is sent again when another process group comes to the
    foreground, when the mode changes, and when a program reads in raw mode. A shell whose input
    ended before its first prompt thus ends; a command that it runs reads end-of-file too, and then
    the shell does. A program that reads lines gets one VEOF. Any other input stops this.
    """

    def __init__(self, terminal: Terminal, stdin: Sink) -> None:
        self._terminal = terminal
        self._stdin = stdin
        self._canonical: bool | None = None
        self._group: int | None = None
        self._checks_left = 0
        self._sends = 0
        self._timer: asyncio.TimerHandle | None = None

    def send(self, last: bytes) -> None:
        """Let the reader see end-of-file after ``last``, the last byte sent; empty if none was."""
        self._stdin.write(self._terminal.eof(last))
        self._canonical = self._terminal.is_canonical()
        self._group = self._terminal.foreground_group()
        self._sends = 0
        self.on_activity()

    def on_activity(self) -> None:
        """Check for half a second whether the terminal's mode has changed: it had output."""
        if self._canonical is None:
            return
        self._checks_left = _CHECKS
        if self._timer is None:
            self._check()

    def stop(self) -> None:
        """Send no more VEOF: other input follows, or nothing reads any more."""
        self._canonical = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        self._timer = None
        if self._canonical is None or self._stdin.closed or self._sends >= _MAX_SENDS:
            return
        was = self._canonical, self._group
        self._canonical = self._terminal.is_canonical()
        if self._canonical is None:  # the terminal is gone
            return
        self._group = self._terminal.foreground_group()
        self._checks_left -= 1
        # Two mode changes between two checks don't show. But an interactive shell puts each
        # command into a process group of its own.
        is_new = (self._canonical, self._group) != was
        if is_new or (self._checks_left == 0 and not self._canonical):
            self._sends += 1
            self._stdin.write(self._terminal.eof(b""))
        if self._checks_left > 0:
            self._timer = asyncio.get_running_loop().call_later(_INTERVAL, self._check)
