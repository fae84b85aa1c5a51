"""The types of the fields that several messages share, with their limits and descriptions.

No limit here looks for NUL: scanning a 16 MiB command with a pattern is slow, so the codec does it.
"""

import sys
from typing import Annotated, Literal

from msgspec import Meta

from shellwire.protocol.limits import MAX_COLUMNS, MAX_ID_LENGTH, MAX_NAME_LENGTH, MAX_ROWS

MAX_WIRE_INTEGER = 2**53 - 1
"""The largest integer that every JSON parser keeps exact; JavaScript's numbers are doubles."""

ENVIRONMENT_NAME = r"^[^=\x00]+$"
"""A name that an environment can hold: some characters, none of them ``=`` or NUL."""

# Python's `$` also stands before a last newline.
SIGNAL_NAME = r"^(SIG)?[A-Z][A-Z0-9+-]{0,15}(?!\n)$"
"""What a signal's name looks like; which of them exist is the system's matter."""

JOB_NAME = r"^[A-Za-z0-9._-]+(?!\n)$"
"""What the name of a job looks like."""

MAX_PAGE = 1024 * 1024
"""Bytes of output in one ``output_page`` at most, whatever is asked for."""

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

JobId = Annotated[Id, Meta(description="The job, by the id that a client chose for it.")]
RequestId = Annotated[
    Id, Meta(description="Returns in the answer as `request_id`; in `ack` and `error` as `id` too.")
]
JobName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_NAME_LENGTH,
        pattern=JOB_NAME,
        description="A second name for the job, unique among the owner's living jobs. Messages "
        "find a job by its id first, then by its name.",
    ),
]
DetachTtl = Annotated[
    float,
    Meta(
        ge=0,
        le=sys.float_info.max,
        description="Seconds that the job runs without its client, counted from its last input, "
        "output, viewer or question; 0 for ever. Default: the daemon's `detach_ttl_seconds`.",
    ),
]
ContextName = Annotated[
    Id, Meta(description="A context; `default` is the client's own, every other name the owner's.")
]
Cwd = Annotated[str, Meta(min_length=1, description="A directory; the empty string means absent.")]
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
        description="The offset after which to begin; the last `end` that was seen.",
    ),
]
Window = Annotated[
    int,
    Meta(
        ge=1,
        le=MAX_WIRE_INTEGER,
        description="Bytes that may be sent beyond what `credit` says was consumed; never more "
        "than the daemon's buffer. Default: what the socket takes counts as consumed.",
    ),
]
Until = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=4096,
        description="Wait for this text in one stream of the output, not for any output.",
    ),
]
AfterDisconnect = Annotated[
    OnDisconnect,
    Meta(description="Whether the job goes on when its client's connection has ended."),
]
DurationMs = Annotated[float, Meta(description="How long it ran, in milliseconds.")]
ExitCode = Annotated[
    int,
    Meta(
        description="The shell's; the negative number of the signal that killed it; -1 with no "
        "`signal` when it is not known."
    ),
]
EndReason = Annotated[
    Reason,
    Meta(
        description="Why the job ended. `exited`: by itself, also by a signal that was not the "
        "daemon's. `timed_out`, `cancelled` (cancel_command), `killed` (kill_session, shutdown), "
        "`output_limit`, `idle`: the daemon ended it. `spawn_failed`: it never started. `lost`: "
        "the daemon can't know."
    ),
]
Left = Annotated[
    list[int],
    Meta(
        description="After an ending by the daemon: processes that live on and that no job is known"
        " to have started, perhaps this one."
    ),
]
SignalName = Annotated[
    str, Meta(pattern=SIGNAL_NAME, description='A signal, as "INT" or as "SIGINT".')
]
OutputLimit = Annotated[
    int,
    Meta(
        ge=0,
        le=MAX_WIRE_INTEGER,
        description="Bytes of output after which the job is ended, 0 for no limit. Default: the "
        "daemon's for a command, none for a session.",
    ),
]
