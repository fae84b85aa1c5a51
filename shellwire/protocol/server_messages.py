"""The daemon's other messages, and ``ServerMessage``: all of them."""

from typing import Annotated, Any

from msgspec import Meta

from shellwire.protocol.elevation_messages import Elevated
from shellwire.protocol.fields import Count, EndedBy, Span
from shellwire.protocol.job_events import (
    Attached,
    CommandQueued,
    Gap,
    Notice,
    Output,
    OutputPage,
    Result,
    SessionEnded,
    SessionStarted,
)
from shellwire.protocol.records import ClientInfo, JobInfo, Limits, SessionInfo
from shellwire.protocol.responses import Event, QueryResponse, Response
from shellwire.protocol.token_messages import PrincipalInfo, TokenCreated, TokensList


class Status(Response, frozen=True, kw_only=True):
    """Answers `auth`: the client is authenticated."""

    version: Annotated[str, Meta(description="The daemon's version.")]
    uptime_seconds: Span
    active_commands: Count
    active_sessions: Count
    python_version: str
    shell: Annotated[str, Meta(description="The shell that commands run in.")]
    client_id: Annotated[str, Meta(description="The client's own id.")]
    principal: PrincipalInfo
    protocol: Annotated[int, Meta(description="The protocol version that the daemon speaks.")]
    instance: Annotated[
        str,
        Meta(description="Identifies this run of the daemon; job ids of another run are unknown."),
    ]
    limits: Limits
    features: Annotated[list[str], Meta(description="The names of the daemon's features.")]
    jobs: Annotated[list[JobInfo], Meta(description="As in `jobs_list`.")]
    home: Annotated[
        str | None,
        Meta(description="The home directory of the daemon's user; `/` if it can't be entered."),
    ] = None
    user: Annotated[
        str | None,
        Meta(description="The user that commands run as: the name, or the uid if it has none."),
    ] = None


class SessionsList(QueryResponse, frozen=True, kw_only=True):
    """Answers `list_sessions`."""

    sessions: list[SessionInfo]


class JobsList(QueryResponse, frozen=True, kw_only=True):
    """Answers `list_jobs`."""

    jobs: list[JobInfo]


class ClientsList(QueryResponse, frozen=True, kw_only=True):
    """Answers `list_clients`."""

    clients: list[ClientInfo]


class DirectoryInfo(QueryResponse, frozen=True, kw_only=True):
    """Answers `stat_directory`."""

    path: Annotated[str, Meta(description="The requested path.")]
    identity: Annotated[
        str,
        Meta(
            description="Device and inode number in decimal, as `DEVICE:INODE`. Paths with the "
            "same identity name the same directory of one machine."
        ),
    ]


class ContextState(QueryResponse, frozen=True, kw_only=True):
    """Answers `get_context`, `set_context` and `reset_context`."""

    context: str
    cwd: str
    env: Annotated[dict[str, str], Meta(description="The exported variables.")]


class Ack(Response, frozen=True, kw_only=True):
    """A request is done or accepted. Sent only if the request had a `request_id`."""

    id: Annotated[str, Meta(description="The request's `request_id`.")]
    operation: Annotated[str, Meta(description="The request's type.")]


class Error(Response, frozen=True, kw_only=True):
    """A request was refused, or failed."""

    id: Annotated[
        str | None,
        Meta(description="The request's `request_id`, else its `id`; null if it had neither."),
    ]
    message: Annotated[str, Meta(description="One line for a human.")]
    code: Annotated[str, Meta(description="One of the error codes.")]
    operation: Annotated[str | None, Meta(description="The type of the refused message.")] = None
    by: EndedBy | None = None


class FsResult(Response, frozen=True, kw_only=True):
    """Answers an `fs_*` message."""

    id: Annotated[str, Meta(description="The `id` of the request.")]
    operation: Annotated[str, Meta(description="The type of the request.")]
    result: Annotated[
        dict[str, Any], Meta(description="The result; its type depends on `operation`.")
    ]


class DaemonStopping(Event, frozen=True, kw_only=True):
    """The daemon is shutting down and accepts no new jobs."""


class Pong(QueryResponse, frozen=True, kw_only=True):
    """Answers `ping`."""


ServerMessage = (
    Status
    | Output
    | Gap
    | Result
    | SessionStarted
    | SessionEnded
    | Attached
    | OutputPage
    | SessionsList
    | JobsList
    | ClientsList
    | TokenCreated
    | TokensList
    | Elevated
    | DirectoryInfo
    | ContextState
    | CommandQueued
    | Ack
    | Error
    | FsResult
    | Notice
    | DaemonStopping
    | Pong
)
"""Every message that the daemon may send."""
