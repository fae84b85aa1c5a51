"""What each tool gives back: the structured result, and the same as JSON text."""

from typing import Annotated

from msgspec import Meta, Struct

from shellwire.protocol.fields import JobKind, JobState, Reason

ExitCode = Annotated[
    int, Meta(description="The shell's; minus the number of the signal that killed it.")
]
Cursor = Annotated[int, Meta(description="Where the next read_output should begin.")]


class CommandResult(Struct, frozen=True, kw_only=True):
    exit_code: ExitCode
    reason: Annotated[
        Reason,
        Meta(description="Why it ended: `exited` by itself; anything else was done to it."),
    ]
    stdout: str
    stderr: str
    truncated: Annotated[
        bool, Meta(description="Something is missing between the head and the tail of a stream.")
    ]
    cwd: Annotated[str | None, Meta(description="Where the next command starts.")]
    committed: Annotated[
        bool, Meta(description="Directory, variables and functions carry over to the next one.")
    ]
    duration_ms: float
    signal: Annotated[str | None, Meta(description="What killed its shell, as SIGTERM.")] = None
    notices: Annotated[list[str], Meta(description="Worth knowing, and no error.")] = []


class Started(Struct, frozen=True, kw_only=True):
    id: Annotated[str, Meta(description="Its name for the other tools.")]
    pid: int | None
    cursor: Cursor = 0


class Sent(Struct, frozen=True, kw_only=True):
    id: str


class Page(Struct, frozen=True, kw_only=True):
    id: str
    output: Annotated[str, Meta(description="stdout and stderr, in the order of their arrival.")]
    cursor: Cursor
    state: JobState
    exit_code: Annotated[
        ExitCode | None,
        Meta(description="Null until it has ended and this page reaches the end of its output."),
    ] = None
    matched: Annotated[
        bool | None, Meta(description="With `until`: the page ends with that text.")
    ] = None
    missing: Annotated[
        int, Meta(description="Bytes before this page that are not kept any more.")
    ] = 0


class Process(Struct, frozen=True, kw_only=True):
    id: str
    kind: Annotated[JobKind, Meta(description="`session`: of start_process.")]
    state: Annotated[
        JobState, Meta(description="`background`: it has ended, and left something running.")
    ]
    command: str
    context: str
    cwd: str | None
    pid: int | None
    is_yours: Annotated[bool, Meta(description="False: another client of the user started it.")]
    seconds: Annotated[float | None, Meta(description="How long it has run, or ran.")]
    exit_code: ExitCode | None
    reason: Reason | None
    cursor: Annotated[int, Meta(description="Bytes that it has written.")]


class Processes(Struct, frozen=True, kw_only=True):
    processes: Annotated[list[Process], Meta(description="The oldest first.")]


class Killed(Struct, frozen=True, kw_only=True):
    id: str
    state: Annotated[JobState, Meta(description="`ended` once it is gone.")]
    exit_code: ExitCode | None


class ContextState(Struct, frozen=True, kw_only=True):
    context: str
    cwd: str
    env: Annotated[dict[str, str], Meta(description="Its exported variables.")]
