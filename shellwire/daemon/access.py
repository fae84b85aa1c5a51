"""What the server needs of the home: token and clients."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from shellwire.errors import HomeError
from shellwire.home.clients import Clients
from shellwire.home.token import ensure_token, read_token

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shellwire.home.paths import Home

log = logging.getLogger(__name__)

_PATIENCE = 0.05


class HomeAccess:
    """Token and clients of the home, as the server asks for them."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._directory = os.stat(home.root)
        self._is_lost = False
        # All clients would wait with it; what is not written now is written with the next change.
        self._clients = Clients.load(home, patience=_PATIENCE)
        self._token: str | None = None

    def token(self) -> str:
        """Return the token; made when first it is asked for, not by a start that fails before."""
        if self._token is None:
            self._token, _ = ensure_token(self._home)
        return self._token

    def is_revoked(self, client_id: str) -> bool:
        """Whether this client may not connect."""
        return self._clients.is_revoked(client_id)

    def seen(self, client_id: str) -> None:
        """Remember that this client comes or goes now."""
        self._quietly(self._clients.seen, client_id)

    def clients(self) -> list[Mapping[str, Any]]:
        """Return every known client."""
        return [
            {
                "client_id": each.client_id,
                "first_seen": each.first_seen,
                "last_seen": each.last_seen,
                "is_revoked": each.is_revoked,
            }
            for each in self._clients.records()
        ]

    def reload(self) -> None:
        """Read token and clients anew; on a damaged file the old ones hold."""
        self._quietly(self._clients.reload)
        self._quietly(self._reload_token)

    def _reload_token(self) -> None:
        token = read_token(self._home)
        if token is None:
            log.error("%s holds no token; the old one still holds", self._home.token_file)
        else:
            self._token = token

    def save(self) -> None:
        """Write what is not written yet."""
        self._quietly(self._clients.save)

    def _quietly(self, act: Callable[..., object], *args: object) -> None:
        if not self._is_at_home():
            return
        # What can't be written now holds in memory, and a client can do nothing about it.
        try:
            act(*args)
        except HomeError as error:
            log.error("%s", error)

    def _is_at_home(self) -> bool:
        """Whether the home is the one that we started in.

        Once it was removed, it is not ours to make again: what is missing there (revocations) would
        look as if it had never been, and another daemon may have made a home of its own there.
        """
        try:
            found = os.path.samestat(os.stat(self._home.root), self._directory)
        except OSError:
            found = False
        if not found and not self._is_lost:
            log.error("%s was removed: nothing is kept or read there any more", self._home.root)
        self._is_lost = not found
        return found
