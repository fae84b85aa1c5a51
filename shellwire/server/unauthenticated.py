"""How many connections may be open that have shown no accepted credential (as sshd's MaxStartups).

Anybody who reaches the port can open connections, and each takes a descriptor and memory. So only
64 may be without a credential; from the 10th on some new ones are dropped at random, so that
whoever floods does not keep all others out.
"""

from __future__ import annotations

import asyncio
import logging
import random

from shellwire.server.rate_limited_log import RateLimitedLog

log = logging.getLogger(__name__)

FULL = 64
"""Connections without a credential. No more are taken."""

DROP_FROM = 10
"""Connections without a credential from which on new ones are dropped at random."""

DROP_RATE = 0.3
"""The share of new connections that is dropped at DROP_FROM; it grows to 1 at FULL."""

PATIENCE = 1.0
"""Seconds that a new connection waits for the next of the others to authenticate or to leave."""

MOST_PATIENCE = 5.0
"""Seconds that it waits in all until fewer than DROP_FROM are left."""

_QUIET = 60.0


class Places:
    """Counts the connections without a credential on one kind of socket."""

    def __init__(self) -> None:
        self._taken: set[object] = set()
        self._changed = asyncio.Event()
        self._in_flood = False
        self._log = RateLimitedLog(log, _QUIET)

    @property
    def taken(self) -> int:
        """How many connections are without a credential."""
        return len(self._taken)

    def enter(self, connection: object) -> None:
        """Count a connection."""
        self._taken.add(connection)

    def leave(self, connection: object) -> None:
        """Count it no more: it has gone, or its credential was accepted."""
        self._taken.discard(connection)
        self._changed.set()

    async def below(self, number: int) -> None:
        """Return when fewer than ``number`` are taken."""
        while self.taken >= number:
            self._changed.clear()
            await self._changed.wait()

    async def admits(self) -> bool:
        """Whether a new connection is taken; False: it is to be dropped.

        Clients that come many at once and then authenticate are waited for, as long as they do. In
        a flood, of those who don't, only the first waits.
        """
        if self.taken >= DROP_FROM and not self._in_flood:
            self._in_flood = not await self._thins_out()
        if self.taken < DROP_FROM:
            self._in_flood = False
            return True
        if self.taken >= FULL or random.random() < self._share():
            self._log.write(
                logging.WARNING,
                "dropped",
                f"{self.taken} connections have not authenticated: new ones are dropped"
                f" (some from {DROP_FROM} on, all from {FULL} on)",
            )
            return False
        return True

    async def _thins_out(self) -> bool:
        """Whether fewer than DROP_FROM are left soon."""
        try:
            async with asyncio.timeout(MOST_PATIENCE):
                while self.taken >= DROP_FROM:
                    self._changed.clear()
                    await asyncio.wait_for(self._changed.wait(), PATIENCE)
        except TimeoutError:
            return False
        return True

    def _share(self) -> float:
        # sshd.c, drop_connection
        return DROP_RATE + (1 - DROP_RATE) * (self.taken - DROP_FROM) / (FULL - DROP_FROM)
