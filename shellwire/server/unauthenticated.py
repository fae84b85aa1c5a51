"""The limit on connections without a credential (as sshd's MaxStartups).

Anybody who reaches the port can open connections, and each takes a descriptor and memory. So at
most 64 may be unauthenticated. From the 10th on, some new ones are dropped at random, so that a
flood does not keep all other clients out.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import defaultdict

from shellwire.server.rate_limited_log import RateLimitedLog

log = logging.getLogger(__name__)

MAX_UNAUTHENTICATED = 64
"""Unauthenticated connections at which every new one is dropped."""

DROP_FROM = 10
"""Unauthenticated connections from which on new ones are dropped at random."""

DROP_RATE = 0.3
"""The share of new connections dropped at DROP_FROM; it grows to 1 at MAX_UNAUTHENTICATED."""

STEP_SECONDS = 1.0
"""Seconds a new connection waits for one of the others to authenticate or to leave."""

MAX_WAIT_SECONDS = 5.0
"""Seconds it waits in all for the number to fall below DROP_FROM."""

_LOG_SECONDS = 60.0


class UnauthenticatedLimit:
    """Counts the unauthenticated connections of one kind of socket, and limits them."""

    def __init__(self) -> None:
        self._connections: set[object] = set()
        self.kept: dict[str, set[object]] = defaultdict(set)
        """The authenticated HTTP connections of each principal but the owner."""
        self._changed = asyncio.Event()
        self._in_flood = False
        self._log = RateLimitedLog(log, _LOG_SECONDS)

    @property
    def count(self) -> int:
        """The number of unauthenticated connections."""
        return len(self._connections)

    def add(self, connection: object) -> None:
        """Count a new connection."""
        self._connections.add(connection)

    def discard(self, connection: object) -> None:
        """Stop counting a connection that has ended or authenticated."""
        self._connections.discard(connection)
        self._changed.set()

    async def wait_below(self, number: int) -> None:
        """Return when the count is below ``number``."""
        while self.count >= number:
            self._changed.clear()
            await self._changed.wait()

    async def accepts(self) -> bool:
        """Whether to accept a new connection; False: drop it.

        When many clients connect at once, wait for them as long as they keep authenticating. In a
        flood, of connections that do not authenticate, only the first new connection waits.
        """
        if self.count >= DROP_FROM and not self._in_flood:
            self._in_flood = not await self._falls_below_drop_from()
        if self.count < DROP_FROM:
            self._in_flood = False
            return True
        if self.count >= MAX_UNAUTHENTICATED or random.random() < self._drop_share():
            self._log.write(
                logging.WARNING,
                "dropped",
                f"{self.count} connections have not authenticated: new ones are dropped"
                f" (some from {DROP_FROM} on, all from {MAX_UNAUTHENTICATED} on)",
            )
            return False
        return True

    async def _falls_below_drop_from(self) -> bool:
        """Wait for the count to fall below DROP_FROM. Returns False if it takes too long."""
        try:
            async with asyncio.timeout(MAX_WAIT_SECONDS):
                while self.count >= DROP_FROM:
                    self._changed.clear()
                    await asyncio.wait_for(self._changed.wait(), STEP_SECONDS)
        except TimeoutError:
            return False
        return True

    def _drop_share(self) -> float:
        # sshd.c, drop_connection
        above = (self.count - DROP_FROM) / (MAX_UNAUTHENTICATED - DROP_FROM)
        return DROP_RATE + (1 - DROP_RATE) * above
