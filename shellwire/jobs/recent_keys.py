"""The most recently used job keys: a request with one of these ids is refused."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shellwire.jobs.model import JobKey


class RecentKeys:
    """The last ``limit`` keys that were added. Adding a key again does not renew it.

    Each key is stored as one string, to save memory: in a long-running daemon there are more keys
    than anything else.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: set[str] = set()
        self._order: deque[str] = deque()

    def __contains__(self, key: JobKey) -> bool:
        return _text(key) in self._known

    def __len__(self) -> int:
        return len(self._known)

    def add(self, key: JobKey) -> None:
        """Add a key. Beyond the limit the oldest key is dropped."""
        text = _text(key)
        if text in self._known:
            return
        self._known.add(text)
        self._order.append(text)
        if len(self._order) > self._limit:
            self._known.remove(self._order.popleft())


def _text(key: JobKey) -> str:
    # Unambiguous: the codec refuses a NUL in any part.
    return f"{key.principal}\0{key.client_id}\0{key.id}"
