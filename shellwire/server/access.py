"""Access: the token and the client list that the server needs of the home, as a protocol."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class AccessList(Protocol):
    """Who is known and what opens the door: what the server needs of the home; handed in."""

    def token(self) -> str:
        """Return the token that is valid now."""
        ...

    def is_revoked(self, client_id: str) -> bool:
        """Whether this client may not connect."""
        ...

    def seen(self, client_id: str) -> None:
        """Remember that this client comes or goes now."""
        ...

    def clients(self) -> Sequence[Mapping[str, Any]]:
        """Return client_id, first_seen, last_seen, is_revoked of every known client.

        The times are None for one that has never connected.
        """
        ...

    def reload(self) -> None:
        """Read token and clients anew; on a damaged file the old ones hold."""
        ...


def token_matches(given: str | None, valid: str) -> bool:
    """Compare in a time that does not depend on where they differ."""
    # A header may hold any bytes, which aiohttp hands out as surrogates.
    return given is not None and hmac.compare_digest(
        given.encode(errors="surrogatepass"), valid.encode()
    )
