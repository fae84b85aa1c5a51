"""The server's access to the home: tokens and known clients."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, TypeVar

from shellwire.errors import HomeError, InternalError
from shellwire.home.clients import Clients
from shellwire.home.token import ensure_token, read_token
from shellwire.home.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shellwire.credentials import Credential
    from shellwire.home.paths import Home
    from shellwire.principals import Bar

T = TypeVar("T")

log = logging.getLogger(__name__)

_TIMEOUT = 0.05


class HomeAccess:
    """Tokens and known clients of the home, with errors logged rather than raised."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._directory = os.stat(home.root)
        self._is_lost = False
        # A short timeout: all clients wait meanwhile, and the next change writes the same data.
        self._clients = Clients.load(home, timeout=_TIMEOUT)
        self._tokens = Tokens.load(home, timeout=_TIMEOUT)
        self._token: str | None = None

    def token(self) -> str:
        """Return the token. It is created on first use, so a start that fails makes none."""
        if self._token is None:
            self._token, _ = ensure_token(self._home)
        return self._token

    def find_token(self, token: str) -> Credential | None:
        """Return the credential of another principal's token; None if the token is wrong."""
        return self._tokens.find(token)

    def tokens(self) -> list[Credential]:
        """Return the tokens of other principals, the oldest first."""
        return self._tokens.all()

    def add_token(self, make: Callable[[str], Credential]) -> str:
        """Store a new credential and return its token. Raises InternalError."""
        return self._store(lambda: self._tokens.add(make))

    def replace_tokens(self, change: Callable[[list[Credential]], list[Credential]]) -> None:
        """Store what ``change`` makes of the list of tokens. Raises InternalError."""
        self._store(lambda: self._tokens.replace(change))

    def _store(self, act: Callable[[], T]) -> T:
        if not self._is_at_home():
            raise InternalError(f"{self._home.root} was removed: nothing can be stored there")
        try:
            return act()
        except HomeError as error:
            log.error("%s", error)
            raise InternalError(str(error)) from error

    def is_revoked(self, client_id: str, principal: str) -> bool:
        """Whether this client is refused."""
        return self._clients.is_revoked(client_id, principal)

    def bar(self, client_id: str, principal: str, bar: Bar) -> None:
        """Keep a client from connecting for a while. Raises InternalError."""
        self._store(lambda: self._clients.bar(client_id, principal, bar))

    def bar_of(self, client_id: str, principal: str) -> Bar | None:
        """Return the bar of a client that may not connect at this moment, or None."""
        return self._clients.bar_of(client_id, principal)

    def seen(self, client_id: str, principal: str) -> None:
        """Record that this client connects or disconnects now."""
        self._quietly(self._clients.seen, client_id, principal)

    def clients(self) -> list[Mapping[str, Any]]:
        """Return every known client."""
        return [each.as_dict() for each in self._clients.records()]

    def reload(self) -> None:
        """Re-read tokens and clients; if a file is damaged, keep the old ones."""
        self._quietly(self._clients.reload)
        self._quietly(self._reload_token)
        self._quietly(self._tokens.reload)

    def _reload_token(self) -> None:
        token = read_token(self._home)
        if token is None:
            log.error("%s contains no token; the old one stays valid", self._home.token_file)
        else:
            self._token = token

    def save(self) -> None:
        """Write the changes that are not written yet."""
        self._quietly(self._clients.save)

    def _quietly(self, act: Callable[..., object], *args: object) -> None:
        if not self._is_at_home():
            return
        # A change that can't be written stays in memory; a client could do nothing about it.
        try:
            act(*args)
        except HomeError as error:
            log.error("%s", error)

    def _is_at_home(self) -> bool:
        """Whether the home is still the directory that we started in.

        A removed home is not created again: it would lack the revocations, and another daemon may
        have made its own home at the same path.
        """
        try:
            found = os.path.samestat(os.stat(self._home.root), self._directory)
        except OSError:
            found = False
        if not found and not self._is_lost:
            log.error("%s was removed: no file is read or written there any more", self._home.root)
        self._is_lost = not found
        return found
