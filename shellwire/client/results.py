"""The values that the client returns: frozen, and independent of the wire's types."""

from __future__ import annotations

import binascii
import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from shellwire.errors import InvalidAnswer

if TYPE_CHECKING:
    from shellwire.protocol.fields import JobState, Reason

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
    """The reason given by whoever ended the job; None without one."""

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


@dataclass(frozen=True, slots=True)
class Page:
    """An answer of ``read_output``."""

    chunks: tuple[Chunk, ...]

    end: int
    """The ``after`` of the next call, even if this page is empty."""

    state: JobState
    """``queued``, ``running``, ``background`` or ``ended``."""

    exit_code: int | None
    """As in ``Result``; None until the page reaches the end of the job's output."""

    missing: int = 0
    """Bytes before the first chunk that are no longer available."""

    matched: bool | None = None
    """Whether the page ends with the text ``until``; None without ``until``."""

    @property
    def data(self) -> str:
        """The text of both streams in order of arrival.

        To read consecutive pages, pass ``text=True``: otherwise a character that a page's end
        splits becomes U+FFFD.
        """
        return "".join(chunk.data for chunk in self.chunks)


@dataclass(frozen=True, slots=True)
class ContextState:
    """The directory and variables of a context."""

    name: str
    cwd: str
    env: dict[str, str]
    """The exported variables."""


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file or directory on the daemon's machine.

    For a symlink, everything but its name is that of its target.
    """

    name: str
    path: str
    """Absolute."""

    is_directory: bool
    is_symlink: bool
    size: int
    """Bytes; 0 for a directory."""

    mode: int
    """Permission bits, as chmod(2) takes them."""

    mtime: float
    """Seconds since 1970."""

    target: str | None = None
    """A symlink's target text, as readlink(1) prints it."""

    ctime: float | None = None
    """Time of the last change of any kind, seconds since 1970; None if the daemon does not send
    it."""

    inode: int | None = None
    """Inode number; None if the daemon does not send it."""

    device: int | None = None
    """Number of the device that holds the file; None if the daemon does not send it."""


class Match(NamedTuple):
    """A match in one line of a file. ``start`` and ``end`` count characters of ``line``."""

    path: str
    line_number: int
    line: str
    start: int
    end: int


class Found(NamedTuple):
    """The matches of a search; ``truncated`` means there may be more."""

    matches: tuple[Match, ...]
    truncated: bool


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


def page(message: Message, *, text: bool) -> Page:
    """Return an ``output_page`` message as a Page; ``text`` if it was requested as UTF-8."""
    gap = message["gap"]
    end = message["end"]
    decoders = Decoders()
    if text:
        chunks = [
            Chunk(each["stream"], each["data"].encode(), each["data"], each["end"])
            for each in message["chunks"]
        ]
    else:
        chunks = [*map(decoders.chunk, message["chunks"]), *decoders.flush(end)]
    return Page(
        chunks=tuple(chunks),
        end=end,
        state=message["state"],
        exit_code=message["exit_code"],
        missing=gap["to"] - gap["from"] if gap else 0,
        matched=message.get("matched"),
    )
