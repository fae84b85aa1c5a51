"""The messages about break-glass: a credential is raised above its own role for a while."""

from typing import Annotated

from msgspec import Meta

from shellwire.principals import Role, TokenRole
from shellwire.protocol.fields import MAX_REASON, Time
from shellwire.protocol.records import Record
from shellwire.protocol.requests import Query
from shellwire.protocol.responses import QueryResponse

MIN_REASON = 8
"""Characters that the reason for an elevation must have at least, without blanks around it."""

MAX_SECONDS = 86_400
"""The longest elevation, in seconds."""


class Elevate(Query, frozen=True, kw_only=True):
    """Raises this connection's credential to what it may be raised to; `elevated`."""

    reason: Annotated[
        str,
        Meta(
            min_length=MIN_REASON,
            max_length=MAX_REASON,
            description="Why; it is logged, and sent to the owner and all admins.",
        ),
    ]
    role: Annotated[
        TokenRole | None, Meta(description="The role wanted. Default: the one that it may have.")
    ] = None
    ttl_seconds: Annotated[
        Annotated[float, Meta(ge=0.001, le=MAX_SECONDS)] | None,
        Meta(description="For how long. Default: 1,800, or what it may if that is less."),
    ] = None


class Elevated(QueryResponse, frozen=True, kw_only=True):
    """Answers `elevate`: all connections of the credential have the role now."""

    expires_at: Annotated[Time, Meta(description="When the credential has its own role again.")]
    role: Annotated[Role, Meta(description="The role that it has until then.")]


class ElevationInfo(Record, frozen=True, kw_only=True):
    """How the credential of this connection is raised; part of `status.principal`."""

    own_role: Annotated[Role, Meta(description="The role without the elevation.")]
    reason: str
    expires_at: Annotated[Time, Meta(description="When it ends.")]
