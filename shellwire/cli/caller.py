"""What jobs on a terminal are told of the terminal here: the variables that describe it."""

from __future__ import annotations

import os

_NAMES = ("TERM", "COLORTERM", "LANG")
_PREFIX = "LC_"


def terminal_variables() -> dict[str, str]:
    """Return the variables that say what our terminal can show, and in which language.

    An empty one counts as not set (POSIX, 8.2), so the job's context may set it.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if value and (name in _NAMES or name.startswith(_PREFIX))
    }
