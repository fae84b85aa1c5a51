"""The base classes of a client's messages.

Each may carry a ``request_id``. A field with a default may be absent or null, which is the same;
``cwd`` may be the empty string too. The encoder leaves out a field that holds its default.
"""

from typing import Annotated

from msgspec import Meta, Struct

from shellwire.protocol.fields import Id, JobId, RequestId
from shellwire.protocol.tags import snake_case


class Request(
    Struct, tag_field="type", tag=snake_case, omit_defaults=True, frozen=True, kw_only=True
):
    request_id: RequestId | None = None


class JobRequest(Request, frozen=True, kw_only=True):
    id: JobId


class Query(Request, frozen=True, kw_only=True):
    id: Annotated[Id | None, Meta(description="Returned unchanged in the answer.")] = None
