"""Which jobs may run now and which wait: process slots and a FIFO queue; pure.

The commands of one named context run one at a time, in order. A command that waits for its context
takes no slot, but a place in the queue. A principal with a quota is limited by that too; the last
place of the queue is always the owner's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from shellwire.errors import QueueFull, TooManyProcesses
from shellwire.jobs.quota import OWNERS_SHARE, Share

if TYPE_CHECKING:
    from collections.abc import Hashable

K = TypeVar("K")


class OverQuota(Exception):
    """A principal uses all that its quota allows; the message says of what."""


@dataclass(frozen=True, slots=True)
class _Use:
    """What a job with a slot uses: whose share, and which context (None: a default one)."""

    share: Share
    context: Hashable | None
    is_session: bool = False


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[K]):
    key: K
    use: _Use


class Slots(Generic[K]):
    """Slots for ``max_running`` keys and a queue of ``max_waiting``.

    With ``max_sessions`` sessions have that many slots of their own; without, they take the same
    slots as commands.
    """

    def __init__(self, max_running: int, max_waiting: int, max_sessions: int | None = None) -> None:
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._max_sessions = max_sessions
        self._running: dict[K, _Use] = {}
        self._sessions: dict[K, _Use] = {}
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

    def waiting_of(self, principal: str) -> int:
        """Return how many commands of this principal wait."""
        return sum(entry.use.share.principal == principal for entry in self._waiting)

    def _can_run(self, use: _Use, ahead: list[_Waiting[K]]) -> bool:
        if len(self._running) >= self._max_running or self._over_quota(use) is not None:
            return False
        if use.context is None:
            return True
        return all(each.context != use.context for each in self._running.values()) and all(
            each.use.context != use.context for each in ahead
        )

    def _over_quota(self, use: _Use) -> str | None:
        """Return which limit of the principal's quota one more job would exceed, or None."""
        quota = use.share.quota
        if quota is None:
            return None
        own = [
            each.is_session
            for uses in (self._running, self._sessions)
            for each in uses.values()
            if each.share.principal == use.share.principal
        ]
        if quota.processes is not None and len(own) >= quota.processes:
            return f"{quota.processes} commands and sessions"
        if use.is_session:
            return f"{quota.sessions} sessions" if sum(own) >= quota.sessions else None
        most = quota.commands
        return f"{most} commands" if len(own) - sum(own) >= most else None

    def admit_session(self, key: K, share: Share = OWNERS_SHARE) -> None:
        """Give a session a slot now. Raises TooManyProcesses when none is free, or OverQuota."""
        use = _Use(share, None, is_session=True)
        over = self._over_quota(use)
        if over is not None:
            raise OverQuota(over)
        if self._max_sessions is not None:
            if len(self._sessions) >= self._max_sessions:
                raise TooManyProcesses(f"all {self._max_sessions} session slots are taken")
            self._sessions[key] = use
            return
        if len(self._running) >= self._max_running:
            raise TooManyProcesses(f"all {self._max_running} process slots are taken")
        self._running[key] = use

    def admit_command(self, key: K, context: Hashable | None, share: Share = OWNERS_SHARE) -> int:
        """Give a command a slot, or a place in the queue. ``context`` is None for a default one.

        Returns 0 when the command may run now, else its place, counted from 1. Raises QueueFull, or
        OverQuota.
        """
        use = _Use(share, context)
        if self._can_run(use, self._waiting):
            self._running[key] = use
            return 0
        if share.quota is not None and self.waiting_of(share.principal) >= share.quota.queued:
            raise OverQuota(f"{share.quota.queued} waiting commands")
        if len(self._waiting) >= self._max_waiting:
            count = self._max_waiting
            raise QueueFull(f"{count} commands wait already" if count else "no command may wait")
        if share.quota is not None and self._waiting_with_quota() >= self._max_waiting - 1:
            raise QueueFull("no place in the queue is free")
        self._waiting.append(_Waiting(key, use))
        return len(self._waiting)

    def _waiting_with_quota(self) -> int:
        return sum(entry.use.share.quota is not None for entry in self._waiting)

    def leave(self, key: K) -> list[K]:
        """Remove ``key``, running or waiting. Returns the queued keys that now get a slot."""
        self._running.pop(key, None)
        self._sessions.pop(key, None)
        self._waiting = [entry for entry in self._waiting if entry.key != key]
        begun: list[K] = []
        waiting: list[_Waiting[K]] = []
        for entry in self._waiting:
            if self._can_run(entry.use, waiting):
                self._running[entry.key] = entry.use
                begun.append(entry.key)
            else:
                waiting.append(entry)
        self._waiting = waiting
        return begun
