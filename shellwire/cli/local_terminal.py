"""This machine's terminal: its size, its variables, raw mode."""

from __future__ import annotations

import contextlib
import os
import termios
import tty
from typing import TYPE_CHECKING

from shellwire.cli import signals
from shellwire.protocol.limits import MAX_COLUMNS, MAX_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shellwire.client.options import Options

_VARIABLES = ("TERM", "COLORTERM", "LANG")
_VARIABLE_PREFIX = "LC_"
_DEFAULT_SIZE = (80, 24)


def match_terminal(options: Options) -> None:
    """Ask for a job terminal of this terminal's size and type; given variables take precedence."""
    options["cols"], options["rows"] = terminal_size() or _DEFAULT_SIZE
    options["env"] = {**_terminal_variables(), **options.get("env", {})}


def terminal_size() -> tuple[int, int] | None:
    """Return columns and rows of this terminal, None without a terminal."""
    for file in (1, 0, 2):
        with contextlib.suppress(OSError):
            size = os.get_terminal_size(file)
            if size.columns and size.lines:
                return min(size.columns, MAX_COLUMNS), min(size.lines, MAX_ROWS)
    return None


def _terminal_variables() -> dict[str, str]:
    """Return the variables that describe this terminal and its language.

    An empty variable counts as not set (POSIX, 8.2), so the job's context may set it.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if value and (name in _VARIABLES or name.startswith(_VARIABLE_PREFIX))
    }


@contextlib.contextmanager
def raw_mode() -> Iterator[None]:
    """Put this terminal into raw mode during the block, if stdin is a terminal."""
    if not os.isatty(0):
        yield
        return
    before = termios.tcgetattr(0)
    # TCSAFLUSH, the default of tty, would drop the keys typed ahead for the job.
    tty.setraw(0, termios.TCSADRAIN)

    def restore() -> None:
        with contextlib.suppress(termios.error):  # the terminal has gone
            termios.tcsetattr(0, termios.TCSADRAIN, before)

    try:
        with signals.cleaning_up(restore):
            yield
    finally:
        restore()
