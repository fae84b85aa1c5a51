"""Pages of a job's output, read without attaching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.client.results import Chunk, Decoders

if TYPE_CHECKING:
    from shellwire.client.results import Message
    from shellwire.protocol.fields import JobState


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
