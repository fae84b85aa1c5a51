"""The arguments of each tool, with the descriptions that a model reads. Null means absent."""

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from shellwire.errors import InvalidMessage
from shellwire.protocol.fields import MAX_PAGE, MAX_WIRE_INTEGER, EnvironmentName, Id
from shellwire.protocol.job_requests import DEFAULT_TIMEOUT, MAX_CHARS
from shellwire.protocol.validation import describe, excerpt

DEFAULT_OUTPUT = 20_000
"""Default of ``max_chars`` (characters of a stream) and ``max_bytes`` (bytes of a page)."""

MAX_WAIT = 3600.0
"""Longest ``wait`` of ``read_output``, in seconds."""

DEFAULT_UNTIL_WAIT = 30.0
"""Default ``wait`` with ``until``, in seconds."""

_YEAR = 366 * 86400.0

ProcessId = Annotated[Id, Meta(description="Id of the process, from start_process.")]
Context = Annotated[
    Id,
    Meta(
        description="Name of the saved state to start from. `default` is private to this"
        " conversation; other names are shared with the user's other clients."
    ),
]
Cwd = Annotated[
    str,
    Meta(description="Directory for this call only. Default: the saved directory."),
]
Variables = Annotated[
    dict[EnvironmentName, str],
    Meta(description="Environment variables for this call only."),
]
Command = Annotated[str, Meta(min_length=1, description="Shell code; may have several lines.")]


class ToolArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of all tools' arguments: refuses unknown names."""


class RunCommand(ToolArguments, frozen=True, kw_only=True):
    command: Command
    cwd: Cwd | None = None
    env: Variables = field(default_factory=dict)
    stdin: Annotated[str | None, Meta(description="Standard input. Default: empty.")] = None
    timeout: Annotated[
        float,
        Meta(ge=0, le=_YEAR, description="Seconds until the command is ended; 0: never."),
    ] = DEFAULT_TIMEOUT
    max_chars: Annotated[
        int,
        Meta(
            ge=0,
            le=MAX_CHARS,
            description="Characters to keep of stdout, and of stderr: 40 % from the start and 60 %"
            " from the end.",
        ),
    ] = DEFAULT_OUTPUT
    context: Context = "default"


class StartProcess(ToolArguments, frozen=True, kw_only=True):
    command: Command
    cwd: Cwd | None = None
    env: Variables = field(default_factory=dict)
    terminal: Annotated[
        bool,
        Meta(description="Run on a terminal, for programs that need one (REPLs, prompts, ssh)."),
    ] = False
    context: Context = "default"


class SendInput(ToolArguments, frozen=True, kw_only=True):
    id: ProcessId
    text: Annotated[
        str,
        Meta(
            description='Sent unchanged: end a line with "\\n". On a terminal "\\u0003" is Ctrl-C,'
            ' "\\u0004" is Ctrl-D.'
        ),
    ] = ""
    close_stdin: Annotated[bool, Meta(description="Close standard input after the text.")] = False


class ReadOutput(ToolArguments, frozen=True, kw_only=True):
    id: Annotated[Id, Meta(description="The process or command, by its id.")]
    cursor: Annotated[
        int,
        Meta(
            ge=-MAX_WIRE_INTEGER,
            le=MAX_WIRE_INTEGER,
            description="Byte offset to read from. 0: the beginning; `cursor` of the last page:"
            " what follows it; -2000: the last 2000 bytes.",
        ),
    ] = 0
    wait: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=MAX_WAIT,
                description="Most seconds to wait for any output, or for `until`. Default: 30"
                " with `until`, else 0.",
            ),
        ]
        | None
    ) = None
    until: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=4096,
                description="Wait for this literal text in the output; `matched` says whether it"
                " was found. `\\n` also matches the `\\r\\n` that a terminal writes.",
            ),
        ]
        | None
    ) = None
    max_bytes: Annotated[
        int, Meta(ge=1, le=MAX_PAGE, description="Most bytes of output to return.")
    ] = DEFAULT_OUTPUT


class ListProcesses(ToolArguments, frozen=True, kw_only=True):
    pass


class KillProcess(ToolArguments, frozen=True, kw_only=True):
    id: Annotated[Id, Meta(description="The process or command, by its id.")]


class GetContext(ToolArguments, frozen=True, kw_only=True):
    context: Context = "default"


class SetContext(ToolArguments, frozen=True, kw_only=True):
    context: Context = "default"
    cwd: (
        Annotated[str, Meta(min_length=1, description="The new directory. Default: unchanged.")]
        | None
    ) = None
    env: Annotated[dict[EnvironmentName, str], Meta(description="Variables to set and export.")] = (
        field(default_factory=dict)
    )
    unset: Annotated[tuple[EnvironmentName, ...], Meta(description="Variables to remove.")] = ()


Arguments = TypeVar("Arguments", bound=Struct)


def parse(kind: type[Arguments], given: dict[str, Any] | None) -> Arguments:
    """Return a model's arguments as the tool's struct.

    Raises InvalidMessage, which names the argument and what was expected.
    """
    present = {name: value for name, value in (given or {}).items() if value is not None}
    for name in present:
        if name not in kind.__struct_fields__:
            known = ", ".join(kind.__struct_fields__) or "none"
            raise InvalidMessage(f"{excerpt(name)}: no such argument; the arguments are: {known}")
    for name, value in present.items():
        if isinstance(value, float) and value != value:  # NaN passes every limit
            raise InvalidMessage(f"{name}: expected a finite number")
    try:
        return msgspec.convert(present, kind)
    except msgspec.ValidationError as error:
        raise InvalidMessage(describe(error, present)) from None


def schema(kind: type[Struct]) -> dict[str, Any]:
    """Return the JSON Schema of a tool's arguments or result, with an object at its root (MCP).

    Arguments are not declared nullable, although null means absent: some models would send it.
    """
    (root,), parts = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    found = parts.pop(root["$ref"].removeprefix("#/$defs/"))
    del found["title"]
    if issubclass(kind, ToolArguments):
        for name, each in found["properties"].items():
            if "anyOf" in each:
                found["properties"][name] = {**each["anyOf"][0], **_described(each)}
    return {**found, "$defs": parts} if parts else found


def _described(optional: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in optional.items() if key == "description"}
