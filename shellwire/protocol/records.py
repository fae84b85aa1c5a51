"""The records inside the daemon's messages: limits, jobs, sessions, clients, chunks of output."""

from typing import Annotated

from msgspec import Meta, Struct, field

from shellwire.protocol.fields import (
    Count,
    ExitCode,
    JobId,
    JobKind,
    JobName,
    JobState,
    Position,
    Reason,
    Span,
    Stream,
    Time,
)


class Record(Struct, omit_defaults=True, frozen=True, kw_only=True):
    """A part of a message."""


class Limits(Record, frozen=True, kw_only=True):
    """The daemon's limits; part of `status`."""

    max_processes: Annotated[
        Count, Meta(description="Commands and sessions that may run at a time.")
    ]
    max_sessions: Annotated[
        Count | None,
        Meta(description="Sessions that may run at a time; null: counted in `max_processes`."),
    ]
    max_queue: Annotated[Count, Meta(description="Commands that may be queued.")]
    max_clients: Annotated[Count, Meta(description="Clients that may be connected at a time.")]
    max_message_bytes: Annotated[Count, Meta(description="The largest frame, in bytes.")]
    max_output_bytes: Annotated[
        Count, Meta(description="The default `max_output_bytes` of a command; 0: no limit.")
    ]
    buffer_bytes: Annotated[
        Count, Meta(description="Bytes of output that each job's buffer keeps.")
    ]
    retain_seconds: Annotated[Span, Meta(description="How long an ended job is retained.")]
    detach_ttl_seconds: Annotated[
        Span, Meta(description="How long a job runs without its client; 0: no limit.")
    ]
    ping_interval_seconds: Annotated[
        Span, Meta(description="A client silent for two of these is disconnected.")
    ]
    max_file_bytes: Annotated[
        Count, Meta(description="The largest file that may be written, in bytes; 0: no limit.")
    ]
    max_upload_bytes: Annotated[
        Count, Meta(description="The largest upload, in bytes; 0: no limit.")
    ]
    max_uploads: Annotated[Count, Meta(description="Uploads that one client may have open.")]
    min_free_bytes: Annotated[
        Count, Meta(description="Bytes that a write must leave free on the disk.")
    ]


class JobInfo(Record, frozen=True, kw_only=True):
    """One job; part of `jobs_list` and `status`."""

    id: JobId
    kind: JobKind
    state: Annotated[
        JobState, Meta(description="`background`: ended, but processes it left behind still write.")
    ]
    client_id: Annotated[str, Meta(description="The client that started it.")]
    principal: Annotated[str, Meta(description="The principal that it belongs to.")]
    command: Annotated[
        str, Meta(description="The text that its shell runs, cut to 4,096 characters.")
    ]
    context: str
    cwd: Annotated[str | None, Meta(description="The directory in which it starts.")]
    pid: Annotated[int | None, Meta(description="Its first process; null before it has started.")]
    pids: Annotated[list[int], Meta(description="All its live processes.")]
    is_pty: bool
    cols: Annotated[int | None, Meta(description="Null without a terminal.")]
    rows: Annotated[int | None, Meta(description="Null without a terminal.")]
    started_at: Annotated[Time | None, Meta(description="Null while queued.")]
    ended_at: Annotated[Time | None, Meta(description="Null until it has ended.")]
    exit_code: Annotated[ExitCode | None, Meta(description="Null until it has ended.")]
    reason: Annotated[Reason | None, Meta(description="As in `result`; null until it has ended.")]
    end: Annotated[Position, Meta(description="Bytes of output received.")]
    start: Annotated[Position, Meta(description="The first byte that is still in the buffer.")]
    name: Annotated[JobName | None, Meta(description="The name given by its client, or null.")]
    last_used_at: Annotated[
        Time, Meta(description="When a client last named it in a message, or stopped following it.")
    ]
    elevated: Annotated[
        bool, Meta(description="Whether its client's credential was raised when it asked for it.")
    ] = False


class SessionInfo(Record, frozen=True, kw_only=True):
    """One session; part of `sessions_list`."""

    id: JobId
    pid: int
    command: Annotated[str, Meta(description="As in `jobs_list`.")]
    started_at: Time
    uptime_seconds: Span
    is_running: bool
    is_pty: bool
    recent_output: Annotated[
        list[str], Meta(description="The last chunks of output, oldest first.")
    ]


class ClientInfo(Record, frozen=True, kw_only=True):
    """One known client; part of `clients_list`."""

    client_id: str
    principal: Annotated[str, Meta(description="The principal that it belongs to.")]
    first_seen: Annotated[Time | None, Meta(description="Null if it has never connected.")]
    last_seen: Annotated[
        Time | None, Meta(description="Now, if it is connected; null if it has never connected.")
    ]
    is_revoked: Annotated[bool, Meta(description="Whether it may not connect.")]
    is_connected: bool
    barred_until: Annotated[
        Time | None, Meta(description="Until when it may not connect; absent: not barred.")
    ] = None


class ByteCounts(Record, frozen=True, kw_only=True):
    """Bytes that a command wrote to each stream; part of `result`."""

    stdout: Count
    stderr: Count


class Chunk(Record, frozen=True, kw_only=True):
    """Consecutive bytes of one stream; part of `output_page`."""

    stream: Annotated[Stream, Meta(description="On a terminal everything is `stdout`.")]
    data: Annotated[str, Meta(description="In the requested encoding.")]
    end: Annotated[Position, Meta(description="The offset just after `data`.")]


class Missing(Record, frozen=True, kw_only=True):
    """Bytes that are no longer in the buffer; part of `output_page`."""

    start: Annotated[Position, Meta(description="The first missing byte.")] = field(name="from")
    to: Annotated[Position, Meta(description="The first byte after the gap.")]
