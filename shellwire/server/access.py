"""The interface to the tokens and the list of clients, which the daemon implements."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from shellwire.credentials import Credential
    from shellwire.principals import Bar


class AccessList(Protocol):
    """The valid tokens, and the known and revoked clients."""

    def token(self) -> str:
        """Return the owner's token, as it is now."""
        ...

    def find_token(self, token: str) -> Credential | None:
        """Return the credential of another principal's token, which may have expired; or None."""
        ...

    def tokens(self) -> Sequence[Credential]:
        """Return the tokens of other principals, without their secrets, the oldest first."""
        ...

    def add_token(self, make: Callable[[str], Credential]) -> str:
        """Store the credential that ``make(id)`` returns; return its token.

        ``make`` may raise WireError. Raises InternalError if the token can't be stored.
        """
        ...

    def replace_tokens(self, change: Callable[[list[Credential]], list[Credential]]) -> None:
        """Store what ``change`` makes of the list of all tokens, less or altered ones.

        ``change`` may raise WireError. Raises InternalError if the list can't be stored.
        """
        ...

    def is_revoked(self, client_id: str, principal: str) -> bool:
        """Whether this client of a principal is revoked: it may not connect."""
        ...

    def bar(self, client_id: str, principal: str, bar: Bar) -> None:
        """Keep a client from connecting for a while. Raises InternalError if that can't be stored.

        A client that is barred longer already stays so.
        """
        ...

    def bar_of(self, client_id: str, principal: str) -> Bar | None:
        """Return the bar of a client that may not connect at this moment, or None."""
        ...

    def seen(self, client_id: str, principal: str) -> None:
        """Record that this client connects or disconnects now."""
        ...

    def clients(self) -> Sequence[Mapping[str, Any]]:
        """Return client_id, principal, first_seen, last_seen and is_revoked of every known client.

        Of one that is barred now also ``barred_until``. The times are None for a client that has
        never connected.
        """
        ...

    def reload(self) -> None:
        """Reread the tokens and the clients; if a file is damaged, keep the old ones."""
        ...


def token_matches(given: str | None, valid: str) -> bool:
    """Compare two tokens in constant time."""
    # A header may contain any bytes; aiohttp decodes invalid UTF-8 to surrogates.
    return given is not None and hmac.compare_digest(
        given.encode(errors="surrogatepass"), valid.encode()
    )
