"""What the list of connections knows of each WebSocket and of each HTTP request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from shellwire.jobs.model import ClientKey

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from shellwire.protocol import messages
    from shellwire.server.identity import Offer, Principal
    from shellwire.server.writer import FairWriter


@dataclass(eq=False)
class AuthenticatedRequest:
    """An HTTP request that passed authentication by ``offer``."""

    client_id: str
    principal: Principal
    offer: Offer
    abort: Callable[[], None]
    row: str
    """Its row in the table ``roles.HTTP``."""

    @property
    def key(self) -> ClientKey:
        """The client; its client_id may be empty."""
        return ClientKey(self.principal.name, self.client_id)


class ClientConnection(Protocol):
    """A WebSocket connection; ``client_id`` is empty until it has authenticated by ``offer``."""

    client_id: str
    principal: Principal
    offer: Offer
    slot_free: bool
    transient: bool

    @property
    def key(self) -> ClientKey: ...

    @property
    def abort(self) -> Callable[[], None]: ...

    @property
    def writer(self) -> FairWriter: ...

    def become(self, principal: Principal) -> None: ...

    def send(self, message: messages.ServerMessage) -> None: ...

    def close(self, code: int, reason: str) -> asyncio.Task[None]: ...
