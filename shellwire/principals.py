"""Names of principals and roles. Imports nothing of shellwire, so every package may use it.

A principal is somebody: it owns jobs and contexts. A credential, such as a token, belongs to one
principal and has a role, which decides what a connection may do.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

import msgspec

OWNER = "owner"
"""The principal of the token in ``auth.token`` and of the Unix socket; no other credential's."""

NAME = r"^[a-z0-9][a-z0-9._-]{0,31}(?!\n)$"
"""The form of the name of a principal or a token."""

Role = Literal["owner", "admin", "operator", "viewer", "metrics", "guest-observer", "guest-peer"]

ROLES: tuple[Role, ...] = get_args(Role)
"""Every role: the columns of the table in ``shellwire/server/roles.py``."""

TokenRole = Literal["admin", "operator", "viewer", "metrics"]

TOKEN_ROLES: tuple[TokenRole, ...] = get_args(TokenRole)
"""The roles that a token may have."""

_NAME = re.compile(NAME)


def is_name(text: str) -> bool:
    """Whether ``text`` may name a principal or a token. ``owner`` may not: it is reserved."""
    return _NAME.match(text) is not None and text != OWNER


class Elevation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To what a credential may be raised for a while: a role, for at most ``ttl_seconds``."""

    role: TokenRole
    ttl_seconds: float


class Bar(msgspec.Struct, frozen=True):
    """Why a client may not connect, until when (epoch seconds), and which principal said so."""

    until: float
    reason: str
    by: str


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
