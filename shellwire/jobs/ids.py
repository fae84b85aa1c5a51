"""The ids that have been used: within them nothing runs twice."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shellwire.jobs.model import JobKey


class Remembered:
    """The last ``most`` keys that were added; one that is added again keeps its place.

    As one string each, for they are what a daemon that runs for long has most of.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()
        self._order: deque[str] = deque()

    def __contains__(self, key: JobKey) -> bool:
        return _text(key) in self._known

    def __len__(self) -> int:
        return len(self._known)

    def add(self, key: JobKey) -> None:
        """Remember it, and forget the oldest where there are too many."""
        text = _text(key)
        if text in self._known:
            return
        self._known.add(text)
        self._order.append(text)
        if len(self._order) > self._most:
            self._known.remove(self._order.popleft())


def _text(key: JobKey) -> str:
    # Neither part can hold a NUL: the codec refuses it.
    return f"{key.client_id}\0{key.id}"
