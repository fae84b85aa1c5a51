"""The values that describe a job: key, request, notices and outcome; immutable."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import msgspec

from shellwire.shell.text import decoded, encoded

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
"""The most characters of a command that are reported, and retained once it has ended."""

_LONGEST_CHARACTER = 4  # bytes, in UTF-8


def shown(text: bytes) -> str:
    """Return the beginning of a command or a path, at most COMMAND_SHOWN characters."""
    return decoded(text[: _LONGEST_CHARACTER * COMMAND_SHOWN])[:COMMAND_SHOWN]


DEFAULT_CONTEXT = "default"
"""The name of each client's own context; contexts of other names belong to its principal."""


class ClientKey(NamedTuple):
    """The key of a client: its principal, and the client_id that it chose within that."""

    principal: str
    client_id: str


class JobKey(NamedTuple):
    """The key of a job: the client that started it, and the id that the client chose."""

    client: ClientKey
    id: str

    @property
    def principal(self) -> str:
        """The principal that the job belongs to."""
        return self.client.principal

    @property
    def client_id(self) -> str:
        """The client_id of the client that started the job."""
        return self.client.client_id


class EndedBy(NamedTuple):
    """Who ended a job by a message, and the reason that he gave."""

    principal: str | None
    """None: the daemon itself."""
    message: str | None


Why = tuple[Reason, EndedBy | None]
"""Why a job ended, and by whose message."""

NOT_ENDED: Why = ("exited", None)
"""The daemon does not end the job: it ends by itself."""


class Journal(Protocol):
    """Records the running jobs, for recovery after a crash. The daemon implements it."""

    def began(self, key: JobKey, kind: Kind, tag: bytes) -> None:
        """Record that a job has started; its processes carry ``tag``."""
        ...

    def ended(self, tag: bytes) -> None:
        """Record that the job with this tag has its outcome, and its leader is reaped."""
        ...


class Request(msgspec.Struct, frozen=True):
    """A client's request to run a command or a session.

    Long fields are bytes, because requests wait in the queue: a str with one character beyond
    U+FFFF takes four bytes for each of its characters (PEP 393).
    """

    kind: Kind
    command: bytes | None
    """The text to run; None runs the user's shell."""
    context: str = DEFAULT_CONTEXT
    namespace: str | None = None
    """The principal that the named context belongs to; None: the client's own."""
    cwd: bytes | None = None
    env: Mapping[bytes, bytes] = MappingProxyType({})
    size: tuple[int, int] | None = None
    """(cols, rows) of a terminal; None is pipes."""
    stdin_data: bytes | None = None
    open_stdin: bool = False
    timeout: float = 0
    """Seconds from the start; 0 is none."""
    max_output_bytes: int = 0
    """0 is no limit."""
    collect_chars: int | None = None
    """The most characters of each stream in the result, which replace output messages."""
    binary: bool = False
    """Collect bytes as characters U+0000 to U+00FF."""
    kill_on_disconnect: bool = False
    """End the job and its background processes when its client disconnects."""
    detach_ttl: float | None = None
    """Seconds that the job runs unused without its client; 0 is for ever, None the daemon's."""
    idle_default: float = 0
    """A session's idle timeout in seconds where the daemon sets none; 0 is never."""
    name: str | None = None
    """A second name, unique among the jobs that have no outcome yet."""
    elevated: str | None = None
    """The id of the credential that was raised above its own role when it asked for this job."""

    def trimmed(self) -> Request:
        """Return the request as an ended job retains it: without what may be as large as a frame.

        Of the command COMMAND_SHOWN characters stay.
        """
        command = self.command
        if command is not None and len(command) > COMMAND_SHOWN:
            command = encoded(shown(command))
        elif not (self.cwd or self.env or self.stdin_data):
            return self
        return msgspec.structs.replace(self, command=command, cwd=None, env={}, stdin_data=None)


class Notice(msgspec.Struct, frozen=True):
    """Something that the user should know about a job, but not an error.

    ``number`` counts a job's notices from 1; ``at`` is the output's end at that time.
    """

    code: str
    message: str
    number: int = 0
    at: int = 0


class Collected(msgspec.Struct, frozen=True):
    """The collected output of a command, for its result."""

    stdout: str
    stderr: str
    truncated: bool


class Outcome(msgspec.Struct, frozen=True):
    """How a job ended. ``at`` is the offset after the last byte that its leader wrote."""

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
    """Set when the daemon ended the job: pids of unclaimed orphans that may have been the job's."""
    refusal: WireError | None = None
    """Set when the job never ran: this error is its terminal message."""
    ended_by: EndedBy | None = None
    """Set when a message ended the job."""
