"""The interface to the token and the list of clients, which the daemon implements."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class AccessList(Protocol):
    """The valid token, and the known and revoked clients."""

    def token(self) -> str:
        """Return the currently valid token."""
        ...

    def is_revoked(self, client_id: str) -> bool:
        """Whether this client is revoked: it may not connect."""
        ...

    def seen(self, client_id: str) -> None:
        """Record that this client connects or disconnects now."""
        ...

    def clients(self) -> Sequence[Mapping[str, Any]]:
        """Return client_id, first_seen, last_seen and is_revoked of every known client.

        The times are None for a client that has never connected.
        """
        ...

    def reload(self) -> None:
        """Reread the token and the clients; if a file is damaged, keep the old ones."""
        ...


def token_matches(given: str | None, valid: str) -> bool:
    """Compare two tokens in constant time."""
    # A header may contain any bytes; aiohttp decodes invalid UTF-8 to surrogates.
    return given is not None and hmac.compare_digest(
        given.encode(errors="surrogatepass"), valid.encode()
    )
