"""What a client gives out: frozen values, without the wire's names for types."""

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
    """Something that a job wrote to one stream, as soon as it has come."""

    stream: Stream
    """On a terminal everything is ``stdout``."""

    bytes: bytes
    """Exactly what it wrote; this may end inside a character."""

    data: str
    """The text that is complete with it: what has come of an unfinished character is in the
    stream's next one. What is not valid UTF-8 becomes U+FFFD."""

    end: int
    """Offset just after it, in bytes, both streams counted together."""

    missing: int = 0
    """How many bytes just before it can't be had any more."""

    replayed: bool = False
    """Whether it was written before this client attached, or attached again."""


class Notice(NamedTuple):
    """Something worth knowing about a job that is no error of it."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Result:
    """How a job ended. PROTOCOL.md, Endings, says what each field can be."""

    id: str

    exit_code: int
    """The shell's; the negative number of the signal that killed it; -1 if it isn't known."""

    reason: Reason
    """``exited``, ``timed_out``, ``cancelled``, ``killed``, ``output_limit``, ``idle``,
    ``spawn_failed`` or ``lost``."""

    signal: str | None = None
    """What killed its shell, as ``SIGTERM``."""

    error: str | None = None
    """Why it could not be started."""

    duration_ms: float = 0.0

    cwd: str | None = None
    """The context's directory after it; None for a session."""

    committed: bool = False
    """Whether the context took its changes; a session never commits."""

    stdout_bytes: bytes = b""
    """All that it wrote, if ``run`` returned this, or what was collected of it; empty where the
    output was streamed."""

    stderr_bytes: bytes = b""

    truncated: bool = False
    """Whether something is missing between the head and the tail that were collected."""

    missing: int = 0
    """How many bytes of output could not be had, for nobody read them in time."""

    notices: tuple[Notice, ...] = ()

    @property
    def stdout(self) -> str:
        """``stdout_bytes`` as text; what is not valid UTF-8 becomes U+FFFD."""
        return self.stdout_bytes.decode(errors="replace")

    @property
    def stderr(self) -> str:
        """``stderr_bytes`` as text, likewise."""
        return self.stderr_bytes.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to ``read_output``."""

    chunks: tuple[Chunk, ...]

    end: int
    """Where the next question should begin, whatever this page holds."""

    state: JobState
    """``queued``, ``running``, ``background`` or ``ended``."""

    exit_code: int | None
    """As in ``Result``; None until the page reaches the end of what the job had written."""

    missing: int = 0
    """How many bytes before the first chunk can't be had any more."""

    matched: bool | None = None
    """Whether the page ends with the text that was waited for; None if none was."""

    @property
    def data(self) -> str:
        """The text of both streams, in the order in which it came.

        Where pages follow one another ask for ``text``, or a character that a page's end cuts
        becomes U+FFFD.
        """
        return "".join(chunk.data for chunk in self.chunks)


@dataclass(frozen=True, slots=True)
class ContextState:
    """Where a context stands."""

    name: str
    cwd: str
    env: dict[str, str]
    """Its exported variables."""


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file or a directory there. Of a symlink all but the name tells of what it leads to."""

    name: str
    path: str
    """Absolute."""

    is_directory: bool
    is_symlink: bool
    size: int
    """Bytes; 0 for a directory."""

    mode: int
    """The permissions, as chmod(2) takes them."""

    mtime: float
    """Seconds since 1970."""

    target: str | None = None
    """What a symlink says, as readlink(1) prints it."""

    ctime: float | None = None
    """Seconds since 1970, of the last change of any kind; None if the daemon does not tell it."""

    inode: int | None = None
    """Its number on its device, likewise."""

    device: int | None = None
    """The number of the device that holds it, likewise."""


class Match(NamedTuple):
    """A match in a line of a file there. ``start`` and ``end`` count characters of ``line``."""

    path: str
    line_number: int
    line: str
    start: int
    end: int


class Found(NamedTuple):
    """What a search has found; ``truncated`` if there may be more."""

    matches: tuple[Match, ...]
    truncated: bool


class Decoders:
    """Turns what streams write into text, however it is cut: one decoder for each stream."""

    def __init__(self) -> None:
        make = codecs.getincrementaldecoder("utf-8")
        self._decoders: dict[Stream, codecs.IncrementalDecoder] = {
            "stdout": make("replace"),
            "stderr": make("replace"),
        }

    def chunk(self, message: Message, *, missing: int = 0, replayed: bool = False) -> Chunk:
        """Return the ``output`` or Chunk that came as base64. Raises InvalidAnswer."""
        try:
            data = binascii.a2b_base64(message["data"], strict_mode=True)
        except ValueError:
            raise InvalidAnswer("data that is no base64") from None
        stream = message["stream"]
        before = "".join(self._finish(each) for each in self._decoders) if missing else ""
        text = before + self._decoders[stream].decode(data)
        return Chunk(stream, data, text, message["end"], missing, replayed)

    def flush(self, end: int) -> list[Chunk]:
        """Return what is left unfinished when no more comes."""
        texts = {stream: self._finish(stream) for stream in self._decoders}
        return [Chunk(stream, b"", text, end) for stream, text in texts.items() if text]

    def _finish(self, stream: Stream) -> str:
        text = self._decoders[stream].decode(b"", final=True)
        self._decoders[stream].reset()
        return text


def page(message: Message, *, text: bool) -> Page:
    """Return what an ``output_page`` says, which was asked for as text or as base64."""
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
