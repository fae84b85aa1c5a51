"""The client's messages about jobs: start, input, signals, end, and output."""

import sys
from typing import Annotated

from msgspec import Meta, field

from shellwire.protocol.fields import (
    MAX_WIRE_INTEGER,
    After,
    AfterDisconnect,
    Columns,
    ContextName,
    Cwd,
    DetachTtl,
    Encoding,
    Environment,
    Id,
    JobName,
    OutputLimit,
    Position,
    ReasonToEnd,
    Rows,
    SignalName,
    Until,
    Window,
)
from shellwire.protocol.requests import JobRequest

DEFAULT_TIMEOUT = 120
"""The default ``timeout`` of a command, in seconds."""

DEFAULT_MAX_CHARS = 50_000
"""The default ``max_chars``: characters that ``collect`` keeps of each stream."""

DEFAULT_PAGE = 65536
"""The default ``max_bytes`` of ``read_output``."""

# Two streams of this size fit a frame of 16 MiB, even with every character escaped as \uXXXX.
MAX_CHARS = 1_000_000
"""The largest ``max_chars``."""

# Every finite number is accepted; JSON's 1e999 arrives as infinity.
_LONGEST = sys.float_info.max


class Execute(JobRequest, frozen=True, kw_only=True):
    """Runs a command in a fresh shell. Answered by `output` messages, then `result`."""

    id: Annotated[Id, Meta(description="The job's id, chosen by the client.")]
    command: Annotated[str, Meta(description="The text that the shell runs.")]
    cwd: Annotated[
        Cwd | None, Meta(description="The working directory; default: the context's.")
    ] = None
    env: Annotated[
        Environment, Meta(description="Variables for this command only, over the context's.")
    ] = field(default_factory=dict)
    stdin_data: Annotated[
        str | None,
        Meta(description="Input written at the start, as UTF-8; may hold NUL."),
    ] = None
    timeout: Annotated[
        # Two types: a message to clients of 0.1.4 repeats the number as they wrote it.
        Annotated[int, Meta(ge=0, le=10**18)] | Annotated[float, Meta(ge=0, le=_LONGEST)],
        Meta(description="Seconds after which the command is ended; 0: never."),
    ] = DEFAULT_TIMEOUT
    is_pty: Annotated[bool, Meta(description="Run it on a terminal of `cols` by `rows`.")] = False
    cols: Columns = 80
    rows: Rows = 24
    context: ContextName = "default"
    open_stdin: Annotated[
        bool, Meta(description="Keep stdin open for `send_input` after `stdin_data`.")
    ] = False
    encoding: Annotated[
        Encoding,
        Meta(description="Encoding of `data` in `output`, and of what `collect` returns."),
    ] = "utf-8"
    collect: Annotated[
        bool,
        Meta(description="Send no `output`; `result` carries the head and tail of each stream."),
    ] = False
    max_chars: Annotated[
        int,
        Meta(ge=0, le=MAX_CHARS, description="With `collect`: characters kept of each stream."),
    ] = DEFAULT_MAX_CHARS
    max_output_bytes: OutputLimit | None = None
    on_disconnect: AfterDisconnect = "keep"
    detach_ttl: DetachTtl | None = None
    name: JobName | None = None
    window: Window | None = None


class CancelCommand(JobRequest, frozen=True, kw_only=True):
    """Ends a command: a queued one with `error CANCELLED`, a running one with `result`; `ack`."""

    reason: ReasonToEnd | None = None


class StartSession(JobRequest, frozen=True, kw_only=True):
    """Starts a long-lived process. Answered by `session_started`, later by `session_ended`."""

    id: Annotated[Id, Meta(description="The job's id, chosen by the client.")]
    command: Annotated[
        str | None, Meta(description="The text that the shell runs; default: the shell itself.")
    ] = None
    use_pty: Annotated[
        bool,
        Meta(description="Run it on a terminal. `pty` is an alias; `use_pty` wins over it."),
    ] = False
    cols: Columns = 80
    rows: Rows = 24
    cwd: Annotated[
        Cwd | None, Meta(description="The working directory; default: the context's.")
    ] = None
    env: Annotated[
        Environment, Meta(description="Variables for this session only, over the context's.")
    ] = field(default_factory=dict)
    context: ContextName = "default"
    encoding: Annotated[Encoding, Meta(description="Encoding of `data` in `output`.")] = "utf-8"
    max_output_bytes: OutputLimit | None = None
    on_disconnect: AfterDisconnect = "keep"
    detach_ttl: DetachTtl | None = None
    name: JobName | None = None
    window: Window | None = None


class SendInput(JobRequest, frozen=True, kw_only=True):
    """Writes to a session, or to a command with `is_pty` or `open_stdin`. `ack`: accepted."""

    data: Annotated[str, Meta(description="The input, in `encoding`; may be empty or hold NUL.")]
    close_stdin: Annotated[bool, Meta(description="Close stdin after `data`.")] = False
    encoding: Annotated[Encoding, Meta(description="Encoding of `data`.")] = "utf-8"


class Resize(JobRequest, frozen=True, kw_only=True):
    """Resizes a job's terminal; `ack`."""

    cols: Columns
    rows: Rows


class KillSession(JobRequest, frozen=True, kw_only=True):
    """Ends a job of either kind; `ack`, then the job's terminal message."""

    reason: ReasonToEnd | None = None


class Signal(JobRequest, frozen=True, kw_only=True):
    """Sends a signal to a job's process group, on a terminal to its foreground group; `ack`."""

    signal: SignalName


class Attach(JobRequest, frozen=True, kw_only=True):
    """Follows a job from an offset: `attached`, every later byte, then its terminal message."""

    after: After = 0
    window: Window | None = None
    encoding: Annotated[Encoding, Meta(description="Encoding of `data` in `output`.")] = "utf-8"


class Detach(JobRequest, frozen=True, kw_only=True):
    """Stops following a job, which keeps running; `ack`."""


class Credit(JobRequest, frozen=True, kw_only=True):
    """Acknowledges output that was consumed, for flow control with `window`; `ack`."""

    end: Annotated[Position, Meta(description="The `end` of the last output that was consumed.")]


class ReadOutput(JobRequest, frozen=True, kw_only=True):
    """Reads a job's output once, waiting for it if asked to; `output_page`."""

    after: After = 0
    max_bytes: Annotated[
        int, Meta(ge=1, le=MAX_WIRE_INTEGER, description="The most bytes of output in the answer.")
    ] = DEFAULT_PAGE
    wait_ms: Annotated[
        int, Meta(ge=0, le=MAX_WIRE_INTEGER, description="Milliseconds to wait for output.")
    ] = 0
    until: Until | None = None
    encoding: Annotated[Encoding, Meta(description="Encoding of `data` in the answer.")] = "utf-8"
