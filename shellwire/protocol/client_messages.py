"""The client's messages: ``Auth``, queries and administration here; ``ClientMessage`` is all."""

from typing import Annotated, Literal

from msgspec import Meta, field

from shellwire.principals import NAME
from shellwire.protocol.elevation_messages import Elevate
from shellwire.protocol.fields import (
    MAX_REASON,
    ContextName,
    Cwd,
    Environment,
    EnvironmentName,
    Id,
)
from shellwire.protocol.file_requests import FileMessage
from shellwire.protocol.job_requests import (
    Attach,
    CancelCommand,
    Credit,
    Detach,
    Execute,
    KillSession,
    ReadOutput,
    Resize,
    SendInput,
    Signal,
    StartSession,
)
from shellwire.protocol.requests import Query, Request
from shellwire.protocol.token_messages import CreateToken, ListTokens, RevokeToken

MAX_BAR_SECONDS = 365 * 86_400
"""The longest time for which a client may be kept out, in seconds."""


class Auth(Request, frozen=True, kw_only=True):
    """Authenticates: the first message. Answered by `status`, or by `error` and a close."""

    client_id: Annotated[
        Id, Meta(description="Chosen by the client; connecting again with it takes over.")
    ]
    token: Annotated[
        str | None,
        Meta(description="A token; not needed on the Unix socket, nor if the handshake had it."),
    ] = None
    protocol: Annotated[
        int | None,
        Meta(description="1: an id is never used twice. Absent: rules of release 0.1.4."),
    ] = None
    transient: Annotated[
        bool,
        Meta(description="A one-shot tool: takes no client slot, is not in the list of clients."),
    ] = False
    text: Annotated[
        Literal["bytes"] | None,
        Meta(
            description='"bytes": a byte in `command`, `cwd`, values of `env`, `context` or'
            " `stdin_data` that is not UTF-8 is written as in names of files."
        ),
    ] = None


class ListSessions(Query, frozen=True, kw_only=True):
    """Lists the running sessions; `sessions_list`."""


class ListJobs(Query, frozen=True, kw_only=True):
    """Lists all jobs: queued, running, and ended ones that are retained; `jobs_list`."""


class StatDirectory(Query, frozen=True, kw_only=True):
    """Identifies the directory that a path names on the daemon's machine; `directory_info`."""

    path: Annotated[str, Meta(min_length=1, description="An absolute path.")]


class GetContext(Query, frozen=True, kw_only=True):
    """Reads a context: its directory and exported variables; `context_state`."""

    context: ContextName = "default"


class SetContext(Query, frozen=True, kw_only=True):
    """Changes a context immediately; `context_state`."""

    context: ContextName = "default"
    cwd: Annotated[Cwd | None, Meta(description="The new directory; default: unchanged.")] = None
    env: Annotated[Environment, Meta(description="Variables to set and export.")] = field(
        default_factory=dict
    )
    unset: Annotated[
        tuple[EnvironmentName, ...], Meta(description="Names of variables to remove.")
    ] = ()


class ResetContext(Query, frozen=True, kw_only=True):
    """Resets a context; commands begun before the reset commit nothing. `context_state`."""

    context: ContextName = "default"


class Ping(Query, frozen=True, kw_only=True):
    """Checks that the daemon responds; `pong`."""


class Reload(Query, frozen=True, kw_only=True):
    """Administration: makes the daemon reread its tokens and revocations; `ack`."""


class ListClients(Query, frozen=True, kw_only=True):
    """Administration: lists the known clients; `clients_list`."""


class KickClient(Query, frozen=True, kw_only=True):
    """Administration: closes a client's connection with 4009, and may keep it out; `ack`."""

    client_id: Annotated[Id, Meta(description="The client.")]
    principal: Annotated[
        Annotated[str, Meta(pattern=NAME)] | None,
        Meta(description="The principal that it belongs to. Default: your own."),
    ] = None
    reason: Annotated[
        str, Meta(min_length=1, max_length=MAX_REASON, description="Why; the client is told.")
    ]
    bar_seconds: Annotated[
        float,
        Meta(ge=0, le=MAX_BAR_SECONDS, description="Seconds for which it may not connect again."),
    ] = 0
    end_jobs: Annotated[bool, Meta(description="End its jobs too.")] = False


class StopDaemon(Query, frozen=True, kw_only=True):
    """Administration: stops the daemon; `ack`, then `daemon_stopping`."""


ClientMessage = (
    Execute
    | CancelCommand
    | StartSession
    | SendInput
    | Resize
    | KillSession
    | Signal
    | Attach
    | Detach
    | Credit
    | ReadOutput
    | ListSessions
    | ListJobs
    | StatDirectory
    | GetContext
    | SetContext
    | ResetContext
    | Ping
    | Reload
    | ListClients
    | KickClient
    | StopDaemon
    | CreateToken
    | ListTokens
    | RevokeToken
    | Elevate
    | FileMessage
)
"""Every message that an authenticated client may send."""
