"""Read the last lines of a job's output from its end: the connection may be slow."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shellwire.cli.job_lookup import Entry
    from shellwire.client import Client
    from shellwire.client.results import Chunk, Stream

_FIRST_SIZE = 64 * 1024
_GROWTH = 8
_PAGE = 1024 * 1024


class Line(NamedTuple):
    """A line of one stream, with its newline if the output has one."""

    end: int
    """Offset of the end of the line in the job's output."""

    stream: Stream
    data: bytes
    is_first: bool
    """Whether it is the first line read of its stream: its beginning may be missing."""


async def last_lines(client: Client, job: Entry, count: int) -> tuple[list[Line], int]:
    """Return the last ``count`` lines of both streams together, and the offset after them.

    Lines are ordered by where they end. If the daemon has fewer, fewer are returned.
    """
    size = _FIRST_SIZE
    while True:
        after = max(job["start"], job["end"] - size)
        chunks, end = await _read(client, job, after)
        lines = split_lines(chunks)
        found = lines[max(0, len(lines) - count) :]
        if after == job["start"] or not any(line.is_first for line in found):
            return found, end
        size *= _GROWTH


async def _read(client: Client, job: Entry, after: int) -> tuple[list[Chunk], int]:
    chunks: list[Chunk] = []
    while after < job["end"]:
        page = await client.read_output(job["id"], after, max_bytes=_PAGE)
        if page.end == after:
            break
        chunks += page.chunks
        after = page.end
    return chunks, after


def split_lines(chunks: Iterable[Chunk]) -> list[Line]:
    """Return the lines of both streams, ordered by where they end."""
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
