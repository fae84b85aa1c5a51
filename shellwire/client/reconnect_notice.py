"""Notification of outages: once when the daemon becomes unreachable, once when it is back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Outage:
    """The outage state of one client, shared by its connection and its file requests.

    ``notify`` is called with the reason when an outage begins, and with None when it is over.
    """

    def __init__(self, notify: Callable[[str | None], None] | None = None) -> None:
        self._notify = notify
        self._is_down = False

    def begins(self, how: str) -> None:
        """Note that a connection or request failed and will be retried."""
        if not self._is_down:
            self._is_down = True
            if self._notify is not None:
                self._notify(how)

    def ends(self) -> None:
        """Note that a connection or request succeeded."""
        if self._is_down:
            self._is_down = False
            if self._notify is not None:
                self._notify(None)
