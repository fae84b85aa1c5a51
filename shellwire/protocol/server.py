"""What the daemon says: one struct for each message, and the records inside them.

A field without a default is always on the wire, null if need be. One with a default is left out
while it holds it.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from shellwire.protocol.fields import (
    Count,
    DurationMs,
    EndReason,
    ExitCode,
    JobId,
    JobKind,
    JobName,
    JobState,
    Left,
    Position,
    Reason,
    Span,
    Stream,
    Time,
)
from shellwire.protocol.tags import snake_case


class _Record(Struct, omit_defaults=True, frozen=True, kw_only=True):
    """A part of a message."""


class _Event(
    Struct, tag_field="type", tag=snake_case, omit_defaults=True, frozen=True, kw_only=True
):
    """A message that answers no question."""


class _Answer(_Event, frozen=True, kw_only=True):
    request_id: Annotated[str | None, Meta(description="The request's, if it had one.")] = None


class _Reply(_Answer, frozen=True, kw_only=True):
    id: Annotated[str | None, Meta(description="The question's, if it had one.")] = None


class Limits(_Record, frozen=True, kw_only=True):
    """What the daemon was started with; part of `status`."""

    max_processes: Annotated[Count, Meta(description="Commands and sessions at a time.")]
    max_sessions: Annotated[
        Count | None,
        Meta(description="Sessions at a time; null: they count within `max_processes`."),
    ]
    max_queue: Annotated[Count, Meta(description="Commands that may wait.")]
    max_clients: Annotated[Count, Meta(description="Clients connected at a time.")]
    max_message_bytes: Annotated[Count, Meta(description="Bytes in a frame.")]
    max_output_bytes: Annotated[
        Count, Meta(description="A command's output in bytes unless it says; 0 for no limit.")
    ]
    buffer_bytes: Annotated[Count, Meta(description="Bytes of output kept of each job.")]
    retain_seconds: Annotated[Span, Meta(description="How long an ended job is kept.")]
    detach_ttl_seconds: Annotated[
        Span, Meta(description="How long a job runs without its client; 0 for ever.")
    ]
    ping_interval_seconds: Annotated[Span, Meta(description="Silent for two of these: gone.")]
    max_file_bytes: Annotated[
        Count, Meta(description="Bytes of a file that is written; 0 for no limit.")
    ]
    max_upload_bytes: Annotated[
        Count, Meta(description="Bytes that one upload brings; 0 for no limit.")
    ]
    max_uploads: Annotated[Count, Meta(description="Uploads that one client may have open.")]
    min_free_bytes: Annotated[Count, Meta(description="Bytes that a write leaves free.")]


class JobInfo(_Record, frozen=True, kw_only=True):
    """One job; part of `jobs_list` and `status`."""

    id: JobId
    kind: JobKind
    state: Annotated[
        JobState, Meta(description="`background`: has ended, what it left behind still writes.")
    ]
    client_id: Annotated[str, Meta(description="The client that started it.")]
    command: Annotated[
        str, Meta(description="The text that its shell runs, at most 4,096 characters of it.")
    ]
    context: str
    cwd: Annotated[str | None, Meta(description="The directory that it starts in.")]
    pid: Annotated[int | None, Meta(description="Its first process; null before there is one.")]
    pids: Annotated[list[int], Meta(description="All of its processes that live.")]
    is_pty: bool
    cols: Annotated[int | None, Meta(description="Null without a terminal.")]
    rows: Annotated[int | None, Meta(description="Null without a terminal.")]
    started_at: Annotated[Time | None, Meta(description="Null while it waits.")]
    ended_at: Annotated[Time | None, Meta(description="Null until it has ended.")]
    exit_code: Annotated[ExitCode | None, Meta(description="Null until it has ended.")]
    reason: Annotated[Reason | None, Meta(description="As in `result`; null until it has ended.")]
    end: Annotated[Position, Meta(description="Bytes of output received.")]
    start: Annotated[Position, Meta(description="The first byte that is still kept.")]
    name: Annotated[
        JobName | None, Meta(description="The name that its client gave it; null without one.")
    ]
    last_used_at: Annotated[
        Time, Meta(description="When a client last named it in a message, or left it.")
    ]


class SessionInfo(_Record, frozen=True, kw_only=True):
    """One session; part of `sessions_list`."""

    id: JobId
    pid: int
    command: Annotated[str, Meta(description="As in `jobs_list`.")]
    started_at: Time
    uptime_seconds: Span
    is_running: bool
    is_pty: bool
    recent_output: Annotated[list[str], Meta(description="The last pieces, oldest first.")]


class ClientInfo(_Record, frozen=True, kw_only=True):
    """One known client; part of `clients_list`."""

    client_id: str
    first_seen: Annotated[Time | None, Meta(description="Null if it never connected.")]
    last_seen: Annotated[
        Time | None, Meta(description="Now while it is connected; null if it never was.")
    ]
    is_revoked: Annotated[bool, Meta(description="It may not connect.")]
    is_connected: bool


class ByteCounts(_Record, frozen=True, kw_only=True):
    """Bytes that a command wrote to each stream; part of `result`."""

    stdout: Count
    stderr: Count


class Chunk(_Record, frozen=True, kw_only=True):
    """Bytes of one stream in a row; part of `output_page`."""

    stream: Annotated[Stream, Meta(description="On a terminal everything is `stdout`.")]
    data: Annotated[str, Meta(description="In the encoding that was asked for.")]
    end: Annotated[Position, Meta(description="The offset just after `data`.")]


class Missing(_Record, frozen=True, kw_only=True):
    """Bytes that are no longer kept; part of `output_page`."""

    start: Annotated[Position, Meta(description="The first byte that is missing.")] = field(
        name="from"
    )
    to: Annotated[Position, Meta(description="The first byte that follows.")]


class Status(_Answer, frozen=True, kw_only=True):
    """Answers `auth`: the client is in."""

    version: Annotated[str, Meta(description="The daemon's.")]
    uptime_seconds: Span
    active_commands: Count
    active_sessions: Count
    python_version: str
    shell: Annotated[str, Meta(description="The shell that commands run in.")]
    client_id: Annotated[str, Meta(description="The client's own, again.")]
    protocol: Annotated[int, Meta(description="The protocol's version that the daemon speaks.")]
    instance: Annotated[
        str, Meta(description="Another one at each start of the daemon: it remembers no ids.")
    ]
    limits: Limits
    features: Annotated[list[str], Meta(description="What the daemon can do, by name.")]
    jobs: Annotated[list[JobInfo], Meta(description="As in `jobs_list`.")]
    home: Annotated[
        str | None,
        Meta(description="The home directory of the daemon's user; `/` if it can't be entered."),
    ] = None
    user: Annotated[
        str | None,
        Meta(description="The name of the user that commands run as; its number without one."),
    ] = None


class Output(_Event, frozen=True, kw_only=True):
    """Something that a job wrote."""

    id: JobId
    data: Annotated[str, Meta(description="In the encoding that was asked for.")]
    stream: Annotated[Stream, Meta(description="On a terminal everything is `stdout`.")]
    end: Annotated[Position, Meta(description="The offset just after `data`.")]
    background: Annotated[
        bool, Meta(description="What the job left behind wrote it, after the job's last message.")
    ] = False


class Gap(_Event, frozen=True, kw_only=True):
    """Output that this viewer did not read in time and that is no longer kept."""

    id: JobId
    start: Annotated[Position, Meta(description="The first byte that is missing.")] = field(
        name="from"
    )
    to: Annotated[Position, Meta(description="The first byte that follows.")]


class Result(_Answer, frozen=True, kw_only=True):
    """A command has ended. Its last message, but for `background` output."""

    id: JobId
    exit_code: ExitCode
    duration_ms: DurationMs
    error: Annotated[str | None, Meta(description="Why it could not be run, or null.")]
    reason: EndReason
    signal: Annotated[str | None, Meta(description='What killed it, as "SIGTERM".')]
    cwd: Annotated[str | None, Meta(description="The context's directory after it.")]
    committed: Annotated[bool, Meta(description="Whether the context took its changes.")]
    bytes: ByteCounts
    stdout: Annotated[str | None, Meta(description="With `collect`: head and tail.")] = None
    stderr: Annotated[str | None, Meta(description="With `collect`: head and tail.")] = None
    truncated: Annotated[
        bool | None, Meta(description="With `collect`: something is missing from either.")
    ] = None
    left: Left = field(default_factory=list)


class SessionStarted(_Answer, frozen=True, kw_only=True):
    """Answers `start_session`: its process runs."""

    id: JobId
    pid: int


class SessionEnded(_Answer, frozen=True, kw_only=True):
    """A session has ended. Its last message, but for `background` output."""

    id: JobId
    exit_code: ExitCode
    duration_ms: DurationMs
    error: Annotated[str | None, Meta(description="Why it could not be run, or null.")]
    reason: EndReason
    signal: Annotated[str | None, Meta(description='What killed it, as "SIGTERM".')]
    left: Left = field(default_factory=list)


class Attached(_Answer, frozen=True, kw_only=True):
    """Answers `attach`: the job's output follows, and its last message when it has ended."""

    id: JobId
    after: Annotated[Position, Meta(description="Where it begins.")]
    end: Annotated[
        Position, Meta(description="Where output that was there already ends, and live begins.")
    ]
    state: JobState
    kind: JobKind
    cols: Annotated[int | None, Meta(description="Null without a terminal.")]
    rows: Annotated[int | None, Meta(description="Null without a terminal.")]


class OutputPage(_Answer, frozen=True, kw_only=True):
    """Answers `read_output`."""

    id: JobId
    chunks: Annotated[list[Chunk], Meta(description="What there was, in order.")]
    end: Annotated[Position, Meta(description="Where the next `read_output` should begin.")]
    state: JobState
    gap: Annotated[
        Missing | None, Meta(description="What is missing before the first chunk, or null.")
    ]
    exit_code: Annotated[
        ExitCode | None,
        Meta(description="As in the job's last message; null until this page ends after it."),
    ]
    matched: Annotated[
        bool | None, Meta(description="With `until`: whether the page ends with it.")
    ] = None


class SessionsList(_Reply, frozen=True, kw_only=True):
    """Answers `list_sessions`."""

    sessions: list[SessionInfo]


class JobsList(_Reply, frozen=True, kw_only=True):
    """Answers `list_jobs`."""

    jobs: list[JobInfo]


class ClientsList(_Reply, frozen=True, kw_only=True):
    """Answers `list_clients`."""

    clients: list[ClientInfo]


class DirectoryInfo(_Reply, frozen=True, kw_only=True):
    """Answers `stat_directory`."""

    path: Annotated[str, Meta(description="As it was asked for.")]
    identity: Annotated[
        str,
        Meta(
            description="Its device and inode numbers in decimal, as `DEVICE:INODE`. Two paths "
            "with the same identity name the same directory of one machine."
        ),
    ]


class ContextState(_Reply, frozen=True, kw_only=True):
    """Answers `get_context`, `set_context` and `reset_context`."""

    context: str
    cwd: str
    env: Annotated[dict[str, str], Meta(description="The exported variables.")]


class CommandQueued(_Event, frozen=True, kw_only=True):
    """A command waits for a slot or its turn. Sent once, before anything else about it."""

    id: JobId
    position: Annotated[int, Meta(ge=1, description="1 for the next one to run.")]


class Ack(_Answer, frozen=True, kw_only=True):
    """What was asked for is done, or accepted; only when the request had a `request_id`."""

    id: Annotated[str, Meta(description="The request's `request_id`.")]
    operation: Annotated[str, Meta(description="The request's type.")]


class Error(_Answer, frozen=True, kw_only=True):
    """A message was refused, or could not be done."""

    id: Annotated[
        str | None,
        Meta(description="The message's `request_id`, else its `id`; null if it had neither."),
    ]
    message: Annotated[str, Meta(description="One line for a human.")]
    code: Annotated[str, Meta(description="One of a closed list.")]
    operation: Annotated[str | None, Meta(description="The refused message's type.")] = None


class FsResult(_Answer, frozen=True, kw_only=True):
    """Answers an `fs_*` message."""

    id: Annotated[str, Meta(description="The question's.")]
    operation: Annotated[str, Meta(description="The question's type.")]
    result: Annotated[dict[str, Any], Meta(description="What was asked for; by `operation`.")]


class Notice(_Event, frozen=True, kw_only=True):
    """Something worth knowing about a job that goes on; before its last message."""

    id: JobId
    code: str
    message: Annotated[str, Meta(description="One line for a human.")]


class DaemonStopping(_Event, frozen=True, kw_only=True):
    """The daemon is shutting down and takes nothing new."""


class Pong(_Reply, frozen=True, kw_only=True):
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
"""What the daemon may send."""
