"""The result of each tool, with the descriptions that a model reads."""

from typing import Annotated

from msgspec import Meta, Struct

from shellwire.protocol.fields import JobKind, JobState, Reason

ExitCode = Annotated[
    int, Meta(description="The shell's exit code; minus the signal's number if a signal killed it.")
]
Cursor = Annotated[int, Meta(description="`cursor` for the next read_output.")]


class CommandResult(Struct, frozen=True, kw_only=True):
    exit_code: ExitCode
    reason: Annotated[
        Reason,
        Meta(description="Why it ended. `exited`: by itself; any other value: it was ended."),
    ]
    stdout: str
    stderr: str
    truncated: Annotated[
        bool,
        Meta(description="The middle of a stream is missing: it has only head and tail."),
    ]
    cwd: Annotated[
        str | None, Meta(description="The saved directory: the next command starts there.")
    ]
    committed: Annotated[
        bool,
        Meta(description="Directory, variables and functions were saved for the next one."),
    ]
    duration_ms: float
    signal: Annotated[
        str | None, Meta(description="The signal that killed the shell, such as SIGTERM.")
    ] = None
    notices: Annotated[list[str], Meta(description="Remarks; not errors.")] = []


class Started(Struct, frozen=True, kw_only=True):
    id: Annotated[str, Meta(description="Id of the process for the other tools.")]
    pid: int | None
    cursor: Cursor = 0


class Sent(Struct, frozen=True, kw_only=True):
    id: str


class Page(Struct, frozen=True, kw_only=True):
    id: str
    output: Annotated[str, Meta(description="stdout and stderr, in order of arrival.")]
    cursor: Cursor
    state: JobState
    exit_code: Annotated[
        ExitCode | None,
        Meta(description="Null until the process has ended and this page reaches its last output."),
    ] = None
    matched: Annotated[
        bool | None, Meta(description="With `until`: whether the page ends with that text.")
    ] = None
    missing: Annotated[
        int, Meta(description="Bytes before this page that are no longer available.")
    ] = 0


class Process(Struct, frozen=True, kw_only=True):
    id: str
    kind: Annotated[JobKind, Meta(description="`session`: started by start_process.")]
    state: Annotated[
        JobState,
        Meta(description="`background`: ended, but processes that it started still run."),
    ]
    command: str
    context: str
    cwd: str | None
    pid: int | None
    is_yours: Annotated[bool, Meta(description="False: started by another client of the user.")]
    seconds: Annotated[float | None, Meta(description="Running time in seconds.")]
    exit_code: ExitCode | None
    reason: Reason | None
    cursor: Annotated[int, Meta(description="Bytes of output written so far.")]


class Processes(Struct, frozen=True, kw_only=True):
    processes: Annotated[list[Process], Meta(description="Oldest first.")]


class Killed(Struct, frozen=True, kw_only=True):
    id: str
    state: Annotated[JobState, Meta(description="`ended` once the process is gone.")]
    exit_code: ExitCode | None


class ContextState(Struct, frozen=True, kw_only=True):
    context: str
    cwd: str
    env: Annotated[dict[str, str], Meta(description="Exported variables.")]
