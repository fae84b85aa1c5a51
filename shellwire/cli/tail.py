"""The last lines of a job's output, read from its end backwards: they may come over a slow line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shellwire.cli.find import Entry
    from shellwire.client import Client
    from shellwire.client.results import Chunk, Stream

_FIRST = 64 * 1024
_MORE = 8
_PAGE = 1024 * 1024


class Line(NamedTuple):
    """A line of one stream, with its newline if that has come."""

    end: int
    """Offset just after it, in the job's output."""

    stream: Stream
    data: bytes
    is_first: bool
    """Whether nothing of this stream was read before it: it may be the rest of a line."""


async def last_lines(client: Client, job: Entry, count: int) -> tuple[list[Line], int]:
    """Return the last ``count`` lines of both streams together, and the offset behind them.

    A line counts from where it ends. Fewer are returned if no more are kept.
    """
    size = _FIRST
    while True:
        after = max(job["start"], job["end"] - size)
        chunks, end = await _read(client, job, after)
        lines = split(chunks)
        taken = lines[max(0, len(lines) - count) :]
        if after == job["start"] or not any(line.is_first for line in taken):
            return taken, end
        size *= _MORE


async def _read(client: Client, job: Entry, after: int) -> tuple[list[Chunk], int]:
    chunks: list[Chunk] = []
    while after < job["end"]:
        page = await client.read_output(job["id"], after, max_bytes=_PAGE)
        if page.end == after:
            break
        chunks += page.chunks
        after = page.end
    return chunks, after


def split(chunks: Iterable[Chunk]) -> list[Line]:
    """Return the lines of both streams, in the order in which they end."""
    lines: list[Line] = []
    rest: dict[Stream, tuple[int, bytes]] = {}
    seen: set[Stream] = set()

    def add(end: int, stream: Stream, data: bytes) -> None:
        lines.append(Line(end, stream, data, stream not in seen))
        seen.add(stream)

    for chunk in chunks:
        end = chunk.end - len(chunk.bytes)
        *whole, unfinished = chunk.bytes.split(b"\n")
        for piece in whole:
            end += len(piece) + 1
            _, before = rest.pop(chunk.stream, (0, b""))
            add(end, chunk.stream, before + piece + b"\n")
        if unfinished:
            _, before = rest.get(chunk.stream, (0, b""))
            rest[chunk.stream] = (chunk.end, before + unfinished)
    for stream, (end, data) in rest.items():
        add(end, stream, data)
    return sorted(lines)
