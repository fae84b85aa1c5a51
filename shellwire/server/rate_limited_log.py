"""A log for lines that an unauthenticated peer can cause: at most one a second of each kind."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging


class RateLimitedLog:
    """Writes at most one line of each kind per ``seconds`` to ``logger``; counts the others."""

    def __init__(self, logger: logging.Logger, seconds: float = 1.0) -> None:
        self._logger = logger
        self._seconds = seconds
        self._last: dict[str, float] = {}
        self._withheld: dict[str, int] = {}

    def write(self, level: int, kind: str, text: str) -> None:
        """Write a line, or only count it if one of this kind was written less than ``seconds`` ago.

        ``kind`` comes from a small fixed set, never from a peer.
        """
        now = time.monotonic()
        last = self._last.get(kind)
        if last is not None and now - last < self._seconds:
            self._withheld[kind] = self._withheld.get(kind, 0) + 1
            return
        self._last[kind] = now
        more = self._withheld.pop(kind, 0)
        self._logger.log(level, "%s%s", text, f" ({more} more since the last line)" * bool(more))


def raised_at(error: BaseException) -> str:
    """Return the type and location of an exception, without its text: that may quote a peer."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    name = trace.tb_frame.f_globals.get("__name__", "?")
    return f"{type(error).__name__} in {name}, line {trace.tb_lineno}"
