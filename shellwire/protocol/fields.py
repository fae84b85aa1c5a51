"""Field types that several messages share, with their limits and descriptions.

No pattern here excludes NUL: matching a 16 MiB command is slow, so the codec checks for NUL.
"""

import sys
from typing import Annotated, Literal

from msgspec import Meta

from shellwire.protocol.limits import MAX_COLUMNS, MAX_ID_LENGTH, MAX_NAME_LENGTH, MAX_ROWS

MAX_WIRE_INTEGER = 2**53 - 1
"""The largest integer that every JSON parser keeps exact; JavaScript's numbers are doubles."""

ENVIRONMENT_NAME = r"^[^=\x00]+$"
"""The name of an environment variable: one or more characters, none of them ``=`` or NUL."""

# Python's `$` also matches before a final newline.
SIGNAL_NAME = r"^(SIG)?[A-Z][A-Z0-9+-]{0,15}(?!\n)$"
"""The form of a signal's name; the operating system decides which signals exist."""

JOB_NAME = r"^[A-Za-z0-9._-]+(?!\n)$"
"""The form of a job's name."""

MAX_PAGE = 1024 * 1024
"""The most bytes of output in one ``output_page``, whatever ``max_bytes`` says."""

MAX_REASON = 200
"""The most characters in a reason that somebody gives."""

Encoding = Literal["utf-8", "base64"]
OnDisconnect = Literal["keep", "kill"]
Stream = Literal["stdout", "stderr"]
JobKind = Literal["command", "session"]
JobState = Literal["queued", "running", "background", "ended"]
Reason = Literal[
    "exited", "timed_out", "cancelled", "killed", "output_limit", "idle", "spawn_failed", "lost"
]

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH)]
Count = Annotated[int, Meta(ge=0)]
Time = Annotated[float, Meta(description="Seconds since the epoch.")]
Span = Annotated[float, Meta(ge=0, description="Seconds.")]

JobId = Annotated[Id, Meta(description="The job's id, chosen by its client.")]
RequestId = Annotated[
    Id,
    Meta(description="Returned in the answer as `request_id`; in `ack` and `error` also as `id`."),
]
JobName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_NAME_LENGTH,
        pattern=JOB_NAME,
        description="A name for the job, unique among its principal's live jobs. Messages may use "
        "it in place of the id; ids are looked up first.",
    ),
]
DetachTtl = Annotated[
    float,
    Meta(
        ge=0,
        le=sys.float_info.max,
        description="Seconds that the job may run without its client, counted from its last input, "
        "output, viewer or request; 0: no limit. Default: the daemon's `detach_ttl_seconds`.",
    ),
]
ContextName = Annotated[
    Id,
    Meta(
        description="The name of a context. `default` belongs to the client, others to its "
        "principal; owner and admin write another's as `PRINCIPAL/NAME`."
    ),
]
Cwd = Annotated[str, Meta(min_length=1, description="A directory; an empty string means absent.")]
EnvironmentName = Annotated[str, Meta(pattern=ENVIRONMENT_NAME)]
Environment = dict[EnvironmentName, str]
Columns = Annotated[
    int, Meta(ge=1, le=MAX_COLUMNS, description="The terminal's width in characters.")
]
Rows = Annotated[int, Meta(ge=1, le=MAX_ROWS, description="The terminal's height in lines.")]
Position = Annotated[
    int, Meta(ge=0, description="An offset in bytes in the job's output, both streams together.")
]
After = Annotated[
    int,
    Meta(
        ge=0,
        le=MAX_WIRE_INTEGER,
        description="The offset after which to begin: the last `end` received.",
    ),
]
Window = Annotated[
    int,
    Meta(
        ge=1,
        le=MAX_WIRE_INTEGER,
        description="Bytes that may be sent past the last `credit`; at most the daemon's buffer. "
        "Default: no flow control; what the socket accepts counts as consumed.",
    ),
]
Until = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=4096,
        description="Wait until this text appears in one stream, rather than for any output.",
    ),
]
AfterDisconnect = Annotated[
    OnDisconnect,
    Meta(description="Whether the job keeps running after its client disconnects."),
]
DurationMs = Annotated[float, Meta(description="How long the job ran, in milliseconds.")]
ExitCode = Annotated[
    int,
    Meta(
        description="The shell's exit code; the negative signal number if a signal killed it; -1 "
        "with no `signal` if unknown."
    ),
]
EndReason = Annotated[
    Reason,
    Meta(
        description="Why the job ended. `exited`: by itself, or by a signal that the daemon did "
        "not send. `timed_out`, `cancelled` (cancel_command), `killed` (kill_session, shutdown), "
        "`output_limit`, `idle`: the daemon ended it. `spawn_failed`: it never started. `lost`: "
        "the daemon does not know."
    ),
]
EndMessage = Annotated[
    str, Meta(description="The `reason` of the message that ended the job; absent without one.")
]
EndedBy = Annotated[
    str,
    Meta(
        description="The principal whose message ended the job; `another user` if this client may"
        " not know. Absent if no message ended it, or one of its own principal without a reason."
    ),
]
Left = Annotated[
    list[int],
    Meta(
        description="After the daemon ended the job: processes still alive that may belong to it,"
        " and are not known to belong to another job."
    ),
]
ReasonToEnd = Annotated[
    str, Meta(max_length=MAX_REASON, description="Why; the terminal message repeats it.")
]
SignalName = Annotated[
    str, Meta(pattern=SIGNAL_NAME, description='A signal name, such as "INT" or "SIGINT".')
]
OutputLimit = Annotated[
    int,
    Meta(
        ge=0,
        le=MAX_WIRE_INTEGER,
        description="Bytes of output after which the job is ended; 0: no limit. Default: the "
        "daemon's limit for a command, none for a session.",
    ),
]
