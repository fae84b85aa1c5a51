"""The messages about tokens for other principals: create, list, revoke; and their records."""

from typing import Annotated

from msgspec import Meta, field

from shellwire.principals import NAME, Role, TokenRole
from shellwire.protocol.elevation_messages import ElevationInfo
from shellwire.protocol.fields import MAX_REASON, MAX_WIRE_INTEGER, Count, Time
from shellwire.protocol.records import Record
from shellwire.protocol.requests import Query
from shellwire.protocol.responses import QueryResponse

MAX_NETWORKS = 64
"""Networks in a token's ``from``."""

ISOLATE = r"^(native|bwrap|(docker|podman|nspawn):[^\x00-\x20]+)(?!\n)$"
"""The form of an isolation."""

TokenName = Annotated[str, Meta(pattern=NAME)]
Networks = Annotated[
    tuple[str, ...],
    Meta(max_length=MAX_NETWORKS, description="Networks (CIDR) from which it works; default: all."),
]
Isolate = Annotated[
    str, Meta(pattern=ISOLATE, description="The isolation in which its jobs must run.")
]
Reason = Annotated[str, Meta(max_length=MAX_REASON, description="Why it was created.")]


class Elevation(Record, frozen=True, kw_only=True):
    """To what a token may be raised for a while."""

    role: TokenRole
    ttl_seconds: Annotated[float, Meta(ge=0.001, le=86_400, description="Seconds, at most a day.")]


class CreateToken(Query, frozen=True, kw_only=True):
    """Administration: creates a token for another principal; `token_created`."""

    name: Annotated[TokenName, Meta(description="The token's name; no other token may have it.")]
    principal: Annotated[
        TokenName | None,
        Meta(description="Whose token it is. Default: a new principal of the token's name."),
    ] = None
    role: Annotated[TokenRole, Meta(description="What it allows.")]
    ttl_seconds: Annotated[
        Annotated[float, Meta(ge=0.001, le=MAX_WIRE_INTEGER)] | None,
        Meta(description="Seconds for which it works; default: always."),
    ] = None
    reason: Reason | None = None
    sources: Networks = field(default=(), name="from")
    max_processes: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_WIRE_INTEGER)] | None,
        Meta(
            description="Commands and sessions of its principal that may run when it starts one.",
        ),
    ] = None
    isolate: Isolate | None = None
    may_elevate: Annotated[
        Elevation | None, Meta(description="To what it may be raised for a while.")
    ] = None


class ListTokens(Query, frozen=True, kw_only=True):
    """Administration: lists the tokens of other principals; `tokens_list`."""


class RevokeToken(Query, frozen=True, kw_only=True):
    """Administration: revokes a token and what was created with it; `ack`."""

    name: Annotated[TokenName, Meta(description="The token's name.")]
    keep_children: Annotated[
        bool,
        Meta(
            description="Keep the tokens created with it; they then count as created by the one "
            "that created this one."
        ),
    ] = False


class TokenInfo(Record, frozen=True, kw_only=True):
    """One token, without its secret; part of `tokens_list`."""

    name: str
    principal: str
    role: TokenRole
    created_at: Time
    expires_at: Annotated[Time | None, Meta(description="Null: never.")]
    sources: Annotated[
        list[str], Meta(description="Networks from which it works; empty: everywhere.")
    ] = field(name="from")
    max_processes: Annotated[Count | None, Meta(description="Null: the daemon's limits only.")]
    isolate: Annotated[str | None, Meta(description="Null: its jobs run natively.")]
    may_elevate: Annotated[Elevation | None, Meta(description="Null: to nothing.")]
    minted_by: Annotated[
        str | None, Meta(description="The token that created it; null: the owner.")
    ]
    reason: str | None
    is_connected: Annotated[bool, Meta(description="Whether a connection uses it now.")]


class PrincipalInfo(Record, frozen=True, kw_only=True):
    """Who has authenticated; part of `status`."""

    name: str
    role: Role
    via: Annotated[str, Meta(description='How: "socket" is the Unix socket, "token" a token.')]
    expires_at: Annotated[
        Time | None, Meta(description="When the credential stops working; null: never.")
    ]
    elevated: Annotated[
        ElevationInfo | None,
        Meta(
            description="Present while the credential is raised: `role` is what it was raised to."
        ),
    ] = None


class TokenCreated(QueryResponse, frozen=True, kw_only=True):
    """Answers `create_token`."""

    token: Annotated[str, Meta(description="The token. The daemon does not keep it.")]


class TokensList(QueryResponse, frozen=True, kw_only=True):
    """Answers `list_tokens`."""

    tokens: list[TokenInfo]
