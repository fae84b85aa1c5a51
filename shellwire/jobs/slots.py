"""Which jobs may run now and which wait: process slots and a FIFO queue; pure.

The commands of one named context run one at a time, in order. A command that waits for its context
takes no slot, but a place in the queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from shellwire.errors import QueueFull, TooManyProcesses

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[K]):
    key: K
    context: str | None


class Slots(Generic[K]):
    """Slots for ``max_running`` keys and a queue of ``max_waiting``.

    With ``max_sessions`` sessions have that many slots of their own; without, they take the same
    slots as commands.
    """

    def __init__(self, max_running: int, max_waiting: int, max_sessions: int | None = None) -> None:
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._max_sessions = max_sessions
        self._running: dict[K, str | None] = {}
        self._sessions: dict[K, None] = {}
        self._waiting: list[_Waiting[K]] = []

    @property
    def running(self) -> list[K]:
        """The keys that hold a common slot, in the order in which they got it."""
        return list(self._running)

    @property
    def sessions(self) -> list[K]:
        """The keys that hold one of the sessions' own slots."""
        return list(self._sessions)

    @property
    def waiting(self) -> list[K]:
        """The keys in the queue, the next one first."""
        return [entry.key for entry in self._waiting]

    def _can_run(self, context: str | None, ahead: list[_Waiting[K]]) -> bool:
        if len(self._running) >= self._max_running:
            return False
        if context is None:
            return True
        return context not in self._running.values() and all(
            each.context != context for each in ahead
        )

    def admit_session(self, key: K) -> None:
        """Give a session a slot now. Raises TooManyProcesses when none is free."""
        if self._max_sessions is not None:
            if len(self._sessions) >= self._max_sessions:
                raise TooManyProcesses(f"all {self._max_sessions} session slots are taken")
            self._sessions[key] = None
            return
        if not self._can_run(None, []):
            raise TooManyProcesses(f"all {self._max_running} process slots are taken")
        self._running[key] = None

    def admit_command(self, key: K, context: str | None) -> int:
        """Give a command a slot, or a place in the queue. ``context`` is None for a default one.

        Returns 0 when the command may run now, else its place, counted from 1. Raises QueueFull.
        """
        if self._can_run(context, self._waiting):
            self._running[key] = context
            return 0
        if len(self._waiting) >= self._max_waiting:
            count = self._max_waiting
            raise QueueFull(f"{count} commands wait already" if count else "no command may wait")
        self._waiting.append(_Waiting(key, context))
        return len(self._waiting)

    def leave(self, key: K) -> list[K]:
        """Remove ``key``, running or waiting. Returns the queued keys that now get a slot."""
        self._running.pop(key, None)
        self._sessions.pop(key, None)
        self._waiting = [entry for entry in self._waiting if entry.key != key]
        begun: list[K] = []
        waiting: list[_Waiting[K]] = []
        for entry in self._waiting:
            if self._can_run(entry.context, waiting):
                self._running[entry.key] = entry.context
                begun.append(entry.key)
            else:
                waiting.append(entry)
        self._waiting = waiting
        return begun
