"""Whether a daemon is out of reach: told once when that begins, and once when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Outage:
    """What the connection and the requests of one client know of it together.

    ``tell`` is called with how it began, and with None when it is over.
    """

    def __init__(self, tell: Callable[[str | None], None] | None = None) -> None:
        self._tell = tell
        self._lasts = False

    def begins(self, how: str) -> None:
        """Something did not reach the daemon, and is tried again."""
        if not self._lasts:
            self._lasts = True
            if self._tell is not None:
                self._tell(how)

    def ends(self) -> None:
        """Something did."""
        if self._lasts:
            self._lasts = False
            if self._tell is not None:
                self._tell(None)
