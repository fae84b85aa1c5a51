"""What a job is asked to do, and what is told about it: immutable values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from shellwire.shell.text import decoded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shellwire.errors import WireError

Kind = Literal["command", "session"]
State = Literal["queued", "running", "background", "ended"]
Reason = Literal[
    "exited",
    "timed_out",
    "cancelled",
    "killed",
    "output_limit",
    "idle",
    "spawn_failed",
    "lost",
]

COMMAND_SHOWN = 4096
"""Characters of a command that are told about it, and kept of it once it has ended."""

_LONGEST_CHARACTER = 4  # bytes, in UTF-8


def shown(text: bytes) -> str:
    """Return the beginning of a command or a path, at most COMMAND_SHOWN characters."""
    return decoded(text[: _LONGEST_CHARACTER * COMMAND_SHOWN])[:COMMAND_SHOWN]


DEFAULT_CONTEXT = "default"
"""The context that each client has for itself; any other name belongs to the owner."""


@dataclass(frozen=True, slots=True)
class JobKey:
    """What names one job: the client that started it and the id that it chose."""

    client_id: str
    id: str


class Journal(Protocol):
    """Where it is noted what is alive, in case that the daemon is killed; handed in."""

    def began(self, key: JobKey, kind: Kind, tag: bytes) -> None:
        """Note that a job has started whose processes bear this tag."""
        ...

    def ended(self, tag: bytes) -> None:
        """Note that the job with this tag has been answered for."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked to be run.

    What may be long is bytes: it may wait in the queue, where a str with one character beyond
    U+FFFF would take four bytes for each of its characters (PEP 393).
    """

    kind: Kind
    command: bytes | None
    """The text to run; None is the user's shell."""
    context: str = DEFAULT_CONTEXT
    cwd: bytes | None = None
    env: Mapping[bytes, bytes] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    """(cols, rows) of a terminal; None is pipes."""
    stdin_data: bytes | None = None
    open_stdin: bool = False
    timeout: float = 0
    """Seconds from the start; 0 is none."""
    max_output_bytes: int = 0
    """0 is no limit."""
    collect_chars: int | None = None
    """Characters of each stream to put into the result instead of sending output."""
    binary: bool = False
    """Collect bytes, one character each (U+0000 to U+00FF)."""
    kill_on_disconnect: bool = False
    """End it, and what it left, when its client's connection ends."""
    detach_ttl: float | None = None
    """Seconds that it runs unused without its client; 0 is for ever, None as the daemon says."""
    idle_default: float = 0
    """A session: seconds unused after which it ends if the daemon does not say; 0 is never."""
    name: str | None = None
    """A second name, which no other living job has."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know about a job that is no error of it.

    ``number`` counts a job's notices from 1; ``at`` is where its output ended then.
    """

    code: str
    message: str
    number: int = 0
    at: int = 0


@dataclass(frozen=True, slots=True)
class Collected:
    """The output of a command that was asked to collect it."""

    stdout: str
    stderr: str
    truncated: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended. ``at`` is the offset behind the last byte that its leader wrote."""

    reason: Reason
    exit_code: int = -1
    signal: str | None = None
    error: str | None = None
    duration: float = 0.0
    """Seconds from the start of the process."""
    cwd: str | None = None
    """Where the context's next command starts; None for sessions."""
    committed: bool = False
    at: int = 0
    totals: tuple[int, int] = (0, 0)
    """Bytes of stdout and of stderr."""
    collected: Collected | None = None
    left: tuple[int, ...] = ()
    """After an ending of ours: pids of what lives on, is no known job's, and perhaps is its."""
    refusal: WireError | None = None
    """Set when the job never ran: this error is its terminal message."""
