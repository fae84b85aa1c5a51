"""The base classes of the daemon's messages.

A field without a default is always on the wire, null if need be. A field with a default is left out
while it holds the default.
"""

from typing import Annotated

from msgspec import Meta, Struct

from shellwire.protocol.tags import snake_case


class Event(
    Struct, tag_field="type", tag=snake_case, omit_defaults=True, frozen=True, kw_only=True
):
    """A message that no request asked for."""


class Response(Event, frozen=True, kw_only=True):
    request_id: Annotated[
        str | None, Meta(description="The `request_id` of the request, if any.")
    ] = None


class QueryResponse(Response, frozen=True, kw_only=True):
    id: Annotated[str | None, Meta(description="The `id` of the request, if any.")] = None
