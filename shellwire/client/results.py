"""The values that the client returns: frozen, and independent of the wire's types."""

from __future__ import annotations

import binascii
import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from shellwire.errors import InvalidAnswer

if TYPE_CHECKING:
    from shellwire.protocol.fields import Reason

Message = dict[str, Any]
Stream = Literal["stdout", "stderr"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a job's output from one stream, delivered as soon as it arrives."""

    stream: Stream
    """``stdout`` or ``stderr``; on a terminal always ``stdout``."""

    bytes: bytes
    """The bytes as written; they may end inside a character."""

    data: str
    """The text completed by these bytes: an unfinished character comes with the stream's next
    chunk. Invalid UTF-8 becomes U+FFFD."""

    end: int
    """Byte offset just after this chunk, counting both streams together."""

    missing: int = 0
    """Bytes just before this chunk that are no longer available."""

    replayed: bool = False
    """Whether it was written before this client attached, or reattached."""


class Notice(NamedTuple):
    """A remark of the daemon about a job; not an error."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Result:
    """How a job ended. PROTOCOL.md, Endings, lists the values of each field."""

    id: str

    exit_code: int
    """The shell's exit code; minus the signal's number if a signal killed it; -1 if unknown."""

    reason: Reason
    """``exited``, ``timed_out``, ``cancelled``, ``killed``, ``output_limit``, ``idle``,
    ``spawn_failed`` or ``lost``."""

    signal: str | None = None
    """The signal that killed the shell, such as ``SIGTERM``."""

    error: str | None = None
    """Why the job could not be started."""

    duration_ms: float = 0.0

    cwd: str | None = None
    """The context's directory afterwards; None for a session."""

    committed: bool = False
    """Whether its changes were saved to the context; never for a session."""

    stdout_bytes: bytes = b""
    """The whole output if ``run`` returned this result, or the collected part; empty if
    streamed."""

    stderr_bytes: bytes = b""

    truncated: bool = False
    """Whether output between the collected head and tail is missing."""

    missing: int = 0
    """Bytes of output that were lost because nobody read them in time."""

    notices: tuple[Notice, ...] = ()

    message: str | None = None
    """The reason in the message that ended the job; None without one."""

    by: str | None = None
    """The principal whose message ended the job; None if no message did, or one of the job's own
    principal without a reason."""

    @property
    def stdout(self) -> str:
        """``stdout_bytes`` as text; invalid UTF-8 becomes U+FFFD."""
        return self.stdout_bytes.decode(errors="replace")

    @property
    def stderr(self) -> str:
        """``stderr_bytes`` as text; invalid UTF-8 becomes U+FFFD."""
        return self.stderr_bytes.decode(errors="replace")


class Decoders:
    """Incremental UTF-8 decoders, one for each stream."""

    def __init__(self) -> None:
        make = codecs.getincrementaldecoder("utf-8")
        self._decoders: dict[Stream, codecs.IncrementalDecoder] = {
            "stdout": make("replace"),
            "stderr": make("replace"),
        }

    def chunk(self, message: Message, *, missing: int = 0, replayed: bool = False) -> Chunk:
        """Return a base64 ``output`` message or page chunk as a Chunk. Raises InvalidAnswer."""
        try:
            data = binascii.a2b_base64(message["data"], strict_mode=True)
        except ValueError:
            raise InvalidAnswer("data that is not base64") from None
        stream = message["stream"]
        before = "".join(self._finish(each) for each in self._decoders) if missing else ""
        text = before + self._decoders[stream].decode(data)
        return Chunk(stream, data, text, message["end"], missing, replayed)

    def flush(self, end: int) -> list[Chunk]:
        """Return the unfinished characters when no more output follows."""
        texts = {stream: self._finish(stream) for stream in self._decoders}
        return [Chunk(stream, b"", text, end) for stream, text in texts.items() if text]

    def _finish(self, stream: Stream) -> str:
        text = self._decoders[stream].decode(b"", final=True)
        self._decoders[stream].reset()
        return text
