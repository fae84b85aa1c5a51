"""What a client says: one struct for each message.

Each may carry a ``request_id``. A field with a default may be absent or null, which is the same;
``cwd`` may be the empty string too. The encoder leaves out a field that holds its default.
"""

import sys
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from shellwire.protocol.client_files import FileMessage
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
    EnvironmentName,
    Id,
    JobId,
    JobName,
    OutputLimit,
    Position,
    RequestId,
    Rows,
    SignalName,
    Until,
    Window,
)
from shellwire.protocol.tags import snake_case

DEFAULT_TIMEOUT = 120
"""Seconds that a command may run if its client does not say."""

DEFAULT_MAX_CHARS = 50_000
"""Characters that ``collect`` keeps of each stream if the client does not say."""

DEFAULT_PAGE = 65536
"""Bytes that a ``read_output`` asks for if the client does not say."""

# Two streams of so many characters fit a frame of 16 MiB even if each is escaped as \uXXXX.
MAX_CHARS = 1_000_000
"""The largest ``max_chars``."""

# Any finite number will do, but JSON's 1e999 arrives as infinity.
_LONGEST = sys.float_info.max


class _Request(
    Struct, tag_field="type", tag=snake_case, omit_defaults=True, frozen=True, kw_only=True
):
    request_id: RequestId | None = None


class _JobRequest(_Request, frozen=True, kw_only=True):
    id: JobId


class _Question(_Request, frozen=True, kw_only=True):
    id: Annotated[Id | None, Meta(description="Returns in the answer as it is.")] = None


class Auth(_Request, frozen=True, kw_only=True):
    """Opens the conversation; answered by `status`, or by `error` and a close."""

    client_id: Annotated[Id, Meta(description="Chosen by the client; the same one takes over.")]
    token: Annotated[
        str | None, Meta(description="The daemon's; not needed on the Unix socket.")
    ] = None
    protocol: Annotated[
        int | None, Meta(description="1: an id is never used twice. Absent: as in release 0.1.4.")
    ] = None
    transient: Annotated[
        bool,
        Meta(description="A one-shot tool: takes no client slot and is not remembered."),
    ] = False
    text: Annotated[
        Literal["bytes"] | None,
        Meta(
            description='"bytes": a byte in `command`, `cwd`, values of `env`, `context` or'
            " `stdin_data` that is not UTF-8 is written as in names of files."
        ),
    ] = None


class Execute(_JobRequest, frozen=True, kw_only=True):
    """Runs a command in a fresh shell; `output`s, then `result`."""

    id: Annotated[Id, Meta(description="Chosen by the client; names the job from now on.")]
    command: Annotated[str, Meta(description="The text that the shell runs.")]
    cwd: Annotated[
        Cwd | None, Meta(description="Where it runs; default: the context's directory.")
    ] = None
    env: Annotated[
        Environment, Meta(description="Variables for this command only, over the context's.")
    ] = field(default_factory=dict)
    stdin_data: Annotated[
        str | None,
        Meta(description="Input that it gets at once, as UTF-8; may hold NUL."),
    ] = None
    timeout: Annotated[
        # Apart, because clients of 0.1.4 are told the number as they wrote it.
        Annotated[int, Meta(ge=0, le=10**18)] | Annotated[float, Meta(ge=0, le=_LONGEST)],
        Meta(description="Seconds until it is ended; 0 for never."),
    ] = DEFAULT_TIMEOUT
    is_pty: Annotated[bool, Meta(description="Give it a terminal of `cols` and `rows`.")] = False
    cols: Columns = 80
    rows: Rows = 24
    context: ContextName = "default"
    open_stdin: Annotated[
        bool, Meta(description="Keep its input open for `send_input` after `stdin_data`.")
    ] = False
    encoding: Annotated[
        Encoding,
        Meta(description="Of `data` in this job's `output`, and of what `collect` returns."),
    ] = "utf-8"
    collect: Annotated[
        bool, Meta(description="Send no `output`; the result carries each stream's head and tail.")
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


class CancelCommand(_JobRequest, frozen=True, kw_only=True):
    """Ends a command, queued or running; it answers itself, with `error CANCELLED` or `result`."""


class StartSession(_JobRequest, frozen=True, kw_only=True):
    """Starts a process that lives until it is ended; `session_started`, ..., `session_ended`."""

    id: Annotated[Id, Meta(description="Chosen by the client; names the job from now on.")]
    command: Annotated[
        str | None, Meta(description="The text that the shell runs; default: the shell itself.")
    ] = None
    use_pty: Annotated[
        bool,
        Meta(description="Give it a terminal. May be written `pty` too; `use_pty` wins over it."),
    ] = False
    cols: Columns = 80
    rows: Rows = 24
    cwd: Annotated[
        Cwd | None, Meta(description="Where it starts; default: the context's directory.")
    ] = None
    env: Annotated[
        Environment, Meta(description="Variables for this session only, over the context's.")
    ] = field(default_factory=dict)
    context: ContextName = "default"
    encoding: Annotated[Encoding, Meta(description="Of `data` in this job's `output`.")] = "utf-8"
    max_output_bytes: OutputLimit | None = None
    on_disconnect: AfterDisconnect = "keep"
    detach_ttl: DetachTtl | None = None
    name: JobName | None = None
    window: Window | None = None


class SendInput(_JobRequest, frozen=True, kw_only=True):
    """Writes to a session, or to a command with `is_pty` or `open_stdin`; accepted: `ack`."""

    data: Annotated[str, Meta(description="The input, in `encoding`; may be empty or hold NUL.")]
    close_stdin: Annotated[bool, Meta(description="End its input after `data`.")] = False
    encoding: Annotated[Encoding, Meta(description="Of `data`.")] = "utf-8"


class Resize(_JobRequest, frozen=True, kw_only=True):
    """Gives a job's terminal a new size; `ack`."""

    cols: Columns
    rows: Rows


class KillSession(_JobRequest, frozen=True, kw_only=True):
    """Ends a job of either kind; `ack`, and the job's own last message."""


class Signal(_JobRequest, frozen=True, kw_only=True):
    """Signals a job's process group, on a terminal its foreground group; `ack`."""

    signal: SignalName


class Attach(_JobRequest, frozen=True, kw_only=True):
    """Follows a job from an offset on; `attached`, then every later byte, and its last message."""

    after: After = 0
    window: Window | None = None
    encoding: Annotated[Encoding, Meta(description="Of `data` in the job's `output`.")] = "utf-8"


class Detach(_JobRequest, frozen=True, kw_only=True):
    """Stops following a job, which goes on; `ack`."""


class Credit(_JobRequest, frozen=True, kw_only=True):
    """Says what of a job's output was consumed, with `window`; `ack`."""

    end: Annotated[Position, Meta(description="The `end` of what was consumed last.")]


class ReadOutput(_JobRequest, frozen=True, kw_only=True):
    """Asks once for a job's output, and may wait for it; `output_page`."""

    after: After = 0
    max_bytes: Annotated[
        int, Meta(ge=1, le=MAX_WIRE_INTEGER, description="Bytes of output in the answer at most.")
    ] = DEFAULT_PAGE
    wait_ms: Annotated[
        int, Meta(ge=0, le=MAX_WIRE_INTEGER, description="Milliseconds to wait for output.")
    ] = 0
    until: Until | None = None
    encoding: Annotated[Encoding, Meta(description="Of `data` in the answer.")] = "utf-8"


class ListSessions(_Question, frozen=True, kw_only=True):
    """Asks for the running sessions; `sessions_list`."""


class ListJobs(_Question, frozen=True, kw_only=True):
    """Asks for all jobs that the daemon still knows; `jobs_list`."""


class StatDirectory(_Question, frozen=True, kw_only=True):
    """Asks which directory a path names for the daemon; `directory_info`."""

    path: Annotated[str, Meta(min_length=1, description="An absolute path.")]


class GetContext(_Question, frozen=True, kw_only=True):
    """Asks where a context stands; `context_state`."""

    context: ContextName = "default"


class SetContext(_Question, frozen=True, kw_only=True):
    """Changes a context at once; `context_state`."""

    context: ContextName = "default"
    cwd: Annotated[Cwd | None, Meta(description="Its new directory; default: unchanged.")] = None
    env: Annotated[Environment, Meta(description="Variables to set and export.")] = field(
        default_factory=dict
    )
    unset: Annotated[
        tuple[EnvironmentName, ...], Meta(description="Names of variables to remove.")
    ] = ()


class ResetContext(_Question, frozen=True, kw_only=True):
    """Makes a context as it was born; commands begun before commit nothing. `context_state`."""

    context: ContextName = "default"


class Ping(_Question, frozen=True, kw_only=True):
    """Asks for a sign of life; `pong`."""


class Reload(_Question, frozen=True, kw_only=True):
    """Makes the daemon read its token and revocations anew, for administration; `ack`."""


class ListClients(_Question, frozen=True, kw_only=True):
    """Asks for the known clients, for administration; `clients_list`."""


class StopDaemon(_Question, frozen=True, kw_only=True):
    """Makes the daemon stop, for administration; `ack`, then `daemon_stopping`."""


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
    | StopDaemon
    | FileMessage
)
"""What a client may send once it is authenticated."""
