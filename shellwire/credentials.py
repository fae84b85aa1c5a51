"""What is known of a credential that was given to somebody. Every package may use it."""

from __future__ import annotations

import msgspec

from shellwire.principals import TokenRole  # noqa: TC001 - msgspec reads the annotations


class Elevation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To what a credential may be raised for a while: a role, for at most ``ttl_seconds``."""

    role: TokenRole
    ttl_seconds: float


class Credential(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A credential that somebody was given, without its secret. Times are in epoch seconds."""

    id: str
    """Public, random, never used again; the token contains it."""
    name: str
    principal: str
    role: TokenRole
    created: float
    expires: float | None = None
    """When it stops working; None: never."""
    sources: tuple[str, ...] = msgspec.field(default=(), name="from")
    """Networks (CIDR) from which it works; empty: from everywhere."""
    max_processes: int | None = None
    """Most commands and sessions of its principal that run when it starts one more."""
    isolate: str | None = None
    """In which isolation its jobs must run; None: natively."""
    may_elevate: Elevation | None = None
    minted_by: str | None = None
    """The id of the credential that created it; None: the owner's."""
    reason: str | None = None
