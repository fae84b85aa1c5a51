"""One client that the daemon knows, and the name of its entry in ``clients.json``."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shellwire.principals import OWNER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shellwire.principals import Bar


@dataclass(frozen=True)
class ClientRecord:
    """One known client. Times are in seconds since the epoch, None if it was never seen."""

    client_id: str
    principal: str = OWNER
    first_seen: float | None = None
    last_seen: float | None = None
    is_revoked: bool = False
    bar: Bar | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_barred(self) -> bool:
        """Whether it may not connect at this moment, because it was kicked."""
        return self.bar is not None and self.bar.until > time.time()

    @property
    def is_over(self) -> bool:
        """Whether it holds nothing but a bar that has ended."""
        if self.bar is None or self.is_barred or self.is_revoked:
            return False
        return self.first_seen is None and self.last_seen is None and not self.extra

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that lists of clients show; ``barred_until`` only if it is barred."""
        shown = {
            "client_id": self.client_id,
            "principal": self.principal,
            "first_seen": self.first_seen,
            "last_seen": self.last_seen,
            "is_revoked": self.is_revoked,
        }
        if self.bar is not None and self.is_barred:
            shown["barred_until"] = self.bar.until
        return shown

    @property
    def key(self) -> str:
        """The name of its entry in the file."""
        return entry_key(self.client_id, self.principal)


def entry_key(client_id: str, principal: str) -> str:
    """Return the name of the entry of that principal's client."""
    return client_id if principal == OWNER else f"{principal}\0{client_id}"
