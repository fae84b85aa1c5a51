"""Names of principals and roles. Imports nothing of shellwire: every package may use it.

A principal is somebody: it owns jobs and contexts. A credential, such as a token, belongs to one
principal and has a role, which decides what a connection may do.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, get_args

OWNER = "owner"
"""The principal of the token in ``auth.token`` and of the Unix socket; no other credential's."""

NAME = r"^[a-z0-9][a-z0-9._-]{0,31}(?!\n)$"
"""The form of the name of a principal or a token."""

Role = Literal["owner", "admin", "operator", "viewer", "metrics", "guest-observer", "guest-peer"]

ROLES: tuple[Role, ...] = get_args(Role)
"""Every role: the columns of the table in ``shellwire/server/roles.py``."""

TokenRole = Literal["admin", "operator", "viewer", "metrics"]

TOKEN_ROLES: tuple[TokenRole, ...] = get_args(TokenRole)
"""The roles that a token may have, the highest first: ``may_elevate`` raises to one before."""

_NAME = re.compile(NAME)


def is_name(text: str) -> bool:
    """Whether ``text`` may name a principal or a token. ``owner`` may not: it is reserved."""
    return _NAME.match(text) is not None and text != OWNER


class Bar(NamedTuple):
    """Why a client may not connect, until when (epoch seconds), and which principal said so."""

    until: float
    reason: str
    by: str
