"""Who may run now and who waits: process slots, a FIFO queue, ordered lanes; pure.

A lane is a named context: its commands run one at a time, in order. Waiting for a lane takes no
slot, but a place in the queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from shellwire.errors import QueueFull, TooManyProcesses

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[K]):
    key: K
    lane: str | None


class Slots(Generic[K]):
    """Slots for ``max_running`` keys and a queue of ``max_waiting``.

    With ``max_apart`` there are that many more, which ``take`` gives instead of these.
    """

    def __init__(self, max_running: int, max_waiting: int, max_apart: int | None = None) -> None:
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._max_apart = max_apart
        self._running: dict[K, str | None] = {}
        self._apart: dict[K, None] = {}
        self._waiting: list[_Waiting[K]] = []

    @property
    def running(self) -> list[K]:
        """The keys that hold a slot, in the order in which they began."""
        return list(self._running)

    @property
    def apart(self) -> list[K]:
        """The keys that hold one of the slots of their own."""
        return list(self._apart)

    @property
    def waiting(self) -> list[K]:
        """The keys that wait, the next one first."""
        return [entry.key for entry in self._waiting]

    def _can_run(self, lane: str | None, ahead: list[_Waiting[K]]) -> bool:
        if len(self._running) >= self._max_running:
            return False
        if lane is None:
            return True
        return lane not in self._running.values() and all(each.lane != lane for each in ahead)

    def take(self, key: K) -> None:
        """Give ``key`` a slot now. Raises TooManyProcesses when none is free."""
        if self._max_apart is not None:
            if len(self._apart) >= self._max_apart:
                raise TooManyProcesses(f"all {self._max_apart} session slots are taken")
            self._apart[key] = None
            return
        if not self._can_run(None, []):
            raise TooManyProcesses(f"all {self._max_running} process slots are taken")
        self._running[key] = None

    def admit(self, key: K, lane: str | None) -> int:
        """Give ``key`` a slot, or a place in the queue.

        Returns 0 when it runs now, else its place, counted from 1. Raises QueueFull.
        """
        if self._can_run(lane, self._waiting):
            self._running[key] = lane
            return 0
        if len(self._waiting) >= self._max_waiting:
            count = self._max_waiting
            raise QueueFull(f"{count} commands wait already" if count else "no command may wait")
        self._waiting.append(_Waiting(key, lane))
        return len(self._waiting)

    def leave(self, key: K) -> list[K]:
        """Take ``key`` out, running or waiting, and return the keys that got a slot thereby."""
        self._running.pop(key, None)
        self._apart.pop(key, None)
        self._waiting = [entry for entry in self._waiting if entry.key != key]
        begun: list[K] = []
        still: list[_Waiting[K]] = []
        for entry in self._waiting:
            if self._can_run(entry.lane, still):
                self._running[entry.key] = entry.lane
                begun.append(entry.key)
            else:
                still.append(entry)
        self._waiting = still
        return begun
