"""Whether a daemon is out of reach: told once when that begins, and once when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Outage:
    """What the connection and the requests of one client know of it together.

    ``tell`` is called with how it began, and with None when it is over.
    """

    def __init__(self, notify: Callable[[str | None], None] | None = None) -> None:
        self._notify = notify
        self._is_down = False

    def begins(self, how: str) -> None:
        """Something did not reach the daemon, and is tried again."""
        if not self._is_down:
            self._is_down = True
            if self._notify is not None:
                self._notify(how)

    def ends(self) -> None:
        """Something did."""
        if self._is_down:
            self._is_down = False
            if self._notify is not None:
                self._notify(None)
