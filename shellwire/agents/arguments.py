"""What each tool takes: one struct a tool. A model reads the descriptions; null means absent."""

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from shellwire.errors import InvalidMessage
from shellwire.protocol.client import DEFAULT_TIMEOUT, MAX_CHARS
from shellwire.protocol.faults import describe, shown
from shellwire.protocol.fields import MAX_PAGE, MAX_WIRE_INTEGER, EnvironmentName, Id

DEFAULT_OUTPUT = 20_000
"""Characters of a stream, or bytes of a page, that a tool gives unless asked for more."""

MAX_WAIT = 3600.0
"""Seconds that one ``read_output`` may wait."""

DEFAULT_UNTIL_WAIT = 30.0
"""Seconds that ``until`` waits if the model does not say."""

_YEAR = 366 * 86400.0

ProcessId = Annotated[Id, Meta(description="The process, by the id that start_process returned.")]
Context = Annotated[
    Id,
    Meta(
        description="The named state that it starts from. `default` is yours alone; every other"
        " name is a state of its own, shared with the user's other clients."
    ),
]
Cwd = Annotated[
    str,
    Meta(description="Directory for this call only. Default: where the last command ended."),
]
Variables = Annotated[
    dict[EnvironmentName, str],
    Meta(description="Environment variables for this call only."),
]
Command = Annotated[str, Meta(min_length=1, description="Text for the shell; may have many lines.")]


class ToolArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every tool's arguments have in common: nothing, and nothing else is taken."""


class RunCommand(ToolArguments, frozen=True, kw_only=True):
    command: Command
    cwd: Cwd | None = None
    env: Variables = field(default_factory=dict)
    stdin: Annotated[
        str | None, Meta(description="What it reads from its standard input, else empty.")
    ] = None
    timeout: Annotated[
        float, Meta(ge=0, le=_YEAR, description="Seconds after which it is ended; 0: never.")
    ] = DEFAULT_TIMEOUT
    max_chars: Annotated[
        int,
        Meta(
            ge=0,
            le=MAX_CHARS,
            description="Characters kept of stdout, and of stderr: the first 40 % and the last"
            " 60 % of them.",
        ),
    ] = DEFAULT_OUTPUT
    context: Context = "default"


class StartProcess(ToolArguments, frozen=True, kw_only=True):
    command: Command
    cwd: Cwd | None = None
    env: Variables = field(default_factory=dict)
    terminal: Annotated[
        bool,
        Meta(description="Give it a terminal: for what insists on one (REPLs, prompts, ssh)."),
    ] = False
    context: Context = "default"


class SendInput(ToolArguments, frozen=True, kw_only=True):
    id: ProcessId
    text: Annotated[
        str,
        Meta(
            description='Sent as it is: end a line with "\\n". On a terminal "\\u0003" is Ctrl-C,'
            ' "\\u0004" is Ctrl-D.'
        ),
    ] = ""
    close_stdin: Annotated[bool, Meta(description="End its input after the text.")] = False


class ReadOutput(ToolArguments, frozen=True, kw_only=True):
    id: Annotated[Id, Meta(description="The process or command, by its id.")]
    cursor: Annotated[
        int,
        Meta(
            ge=-MAX_WIRE_INTEGER,
            le=MAX_WIRE_INTEGER,
            description="Where to begin: 0 is the beginning, the `cursor` of the last page is"
            " what came after it, and -2000 is the last 2000 bytes.",
        ),
    ] = 0
    wait: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=MAX_WAIT,
                description="Seconds to wait at most, for any output or for `until`. Default: 30"
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
                description="Wait for exactly this text in the output (no pattern); `matched` in"
                " the result says whether it came. A terminal makes `\\r\\n` of a line end: that is"
                " found too.",
            ),
        ]
        | None
    ) = None
    max_bytes: Annotated[
        int, Meta(ge=1, le=MAX_PAGE, description="Bytes of output in the result at most.")
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
        Annotated[str, Meta(min_length=1, description="Its new directory. Default: unchanged.")]
        | None
    ) = None
    env: Annotated[dict[EnvironmentName, str], Meta(description="Variables to set and export.")] = (
        field(default_factory=dict)
    )
    unset: Annotated[
        tuple[EnvironmentName, ...], Meta(description="Names of variables to remove.")
    ] = ()


Arguments = TypeVar("Arguments", bound=Struct)


def parse(kind: type[Arguments], given: dict[str, Any] | None) -> Arguments:
    """Return what a model gave as what the tool takes.

    Raises InvalidMessage, which names the argument and says what was expected.
    """
    present = {name: value for name, value in (given or {}).items() if value is not None}
    for name in present:
        if name not in kind.__struct_fields__:
            known = ", ".join(kind.__struct_fields__) or "none"
            raise InvalidMessage(f"{shown(name)}: no such argument; there are: {known}")
    for name, value in present.items():
        if isinstance(value, float) and value != value:  # JSON has none, and no limit stops it
            raise InvalidMessage(f"{name}: expected a finite number")
    try:
        return msgspec.convert(present, kind)
    except msgspec.ValidationError as error:
        raise InvalidMessage(describe(error, present)) from None


def schema(kind: type[Struct]) -> dict[str, Any]:
    """Return the JSON Schema of arguments, or of a result, an object at its root as MCP wants it.

    That null means absent is not said of arguments: there are models that send it then.
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
