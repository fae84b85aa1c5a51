"""The daemon's messages about a job: its start, output, remarks and end."""

from typing import Annotated

from msgspec import Meta, field

from shellwire.protocol.fields import (
    DurationMs,
    EndedBy,
    EndMessage,
    EndReason,
    ExitCode,
    JobId,
    JobKind,
    JobState,
    Left,
    Position,
    Stream,
)
from shellwire.protocol.records import ByteCounts, Chunk, Missing
from shellwire.protocol.responses import Event, Response


class Output(Event, frozen=True, kw_only=True):
    """Output of a job."""

    id: JobId
    data: Annotated[str, Meta(description="In the requested encoding.")]
    stream: Annotated[Stream, Meta(description="On a terminal everything is `stdout`.")]
    end: Annotated[Position, Meta(description="The offset just after `data`.")]
    background: Annotated[
        bool,
        Meta(description="Written after the terminal message, by processes that the job left."),
    ] = False


class Gap(Event, frozen=True, kw_only=True):
    """Output that was dropped from the buffer before this viewer read it."""

    id: JobId
    start: Annotated[Position, Meta(description="The first missing byte.")] = field(name="from")
    to: Annotated[Position, Meta(description="The first byte after the gap.")]


class Result(Response, frozen=True, kw_only=True):
    """A command has ended: its terminal message; only `background` output can follow."""

    id: JobId
    exit_code: ExitCode
    duration_ms: DurationMs
    error: Annotated[str | None, Meta(description="Why it could not be started, or null.")]
    reason: EndReason
    signal: Annotated[
        str | None, Meta(description='The signal that killed it, such as "SIGTERM", or null.')
    ]
    cwd: Annotated[str | None, Meta(description="The context's directory after the command.")]
    committed: Annotated[
        bool, Meta(description="Whether its changes were committed to the context.")
    ]
    bytes: ByteCounts
    stdout: Annotated[
        str | None, Meta(description="With `collect`: the head and tail of the stream.")
    ] = None
    stderr: Annotated[
        str | None, Meta(description="With `collect`: the head and tail of the stream.")
    ] = None
    truncated: Annotated[
        bool | None,
        Meta(description="With `collect`: whether output is missing from either stream."),
    ] = None
    left: Left = field(default_factory=list)
    message: EndMessage | None = None
    by: EndedBy | None = None


class SessionStarted(Response, frozen=True, kw_only=True):
    """Answers `start_session`: the process has started."""

    id: JobId
    pid: int


class SessionEnded(Response, frozen=True, kw_only=True):
    """A session has ended: its terminal message; only `background` output can follow."""

    id: JobId
    exit_code: ExitCode
    duration_ms: DurationMs
    error: Annotated[str | None, Meta(description="Why it could not be started, or null.")]
    reason: EndReason
    signal: Annotated[
        str | None, Meta(description='The signal that killed it, such as "SIGTERM", or null.')
    ]
    left: Left = field(default_factory=list)
    message: EndMessage | None = None
    by: EndedBy | None = None


class Attached(Response, frozen=True, kw_only=True):
    """Answers `attach`: the job's output follows, then its terminal message."""

    id: JobId
    after: Annotated[Position, Meta(description="The offset after which output is sent.")]
    end: Annotated[
        Position, Meta(description="Where the output so far ends and live output begins.")
    ]
    state: JobState
    kind: JobKind
    cols: Annotated[int | None, Meta(description="Null without a terminal.")]
    rows: Annotated[int | None, Meta(description="Null without a terminal.")]


class OutputPage(Response, frozen=True, kw_only=True):
    """Answers `read_output`."""

    id: JobId
    chunks: Annotated[list[Chunk], Meta(description="The output, in order.")]
    end: Annotated[Position, Meta(description="The `after` for the next `read_output`.")]
    state: JobState
    gap: Annotated[
        Missing | None, Meta(description="The bytes missing before the first chunk, or null.")
    ]
    exit_code: Annotated[
        ExitCode | None,
        Meta(description="As in the terminal message; null until a page reaches the end."),
    ]
    matched: Annotated[
        bool | None, Meta(description="With `until`: whether the page ends with the text.")
    ] = None


class CommandQueued(Event, frozen=True, kw_only=True):
    """A command is queued. Sent once, before any other message about the command."""

    id: JobId
    position: Annotated[int, Meta(ge=1, description="1 for the next one to run.")]


class Notice(Event, frozen=True, kw_only=True):
    """A remark about a job, sent before its terminal message; or about the daemon."""

    id: Annotated[str | None, Meta(description="The job's id; null if it is about no job.")]
    code: str
    message: Annotated[str, Meta(description="One line for a human.")]
