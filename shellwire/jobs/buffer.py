"""A job's output: bounded bytes with absolute offsets; pure.

Both streams share one offset, counted in the order received. Each byte has its offset as soon as
it is read. Text has one more rule: the bytes of a character that a stream has not completed yet
(UTF-8, RFC 3629: up to 3 bytes) are held back and precede that stream's next piece. They are found
by looking back from the offset, so they depend on the buffer and the offset alone: every reader
that starts at an offset reads the same text, whether or not it has read before.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right

import msgspec

from shellwire.jobs.ring import Ring

STDOUT, STDERR = 0, 1
STREAMS = ("stdout", "stderr")

# Bytes above the capacity for which the ring has space: one read is appended before old bytes are
# evicted.
_READ_SIZE = 64 * 1024

_BACKGROUND = 2
_KIND_BITS = 2
_KIND_MASK = (1 << _KIND_BITS) - 1

# All bytes of a character but its first are 10xxxxxx (RFC 3629, 3). An incomplete character has at
# most three bytes.
_CONTINUATION = 0x80
_CONTINUATION_MASK = 0xC0
_MAX_INCOMPLETE = 3

# The length in bytes of a character, by its first byte; 1 where no character begins with that byte.
_LENGTHS = bytes(
    2 if 0xC2 <= lead <= 0xDF else 3 if 0xE0 <= lead <= 0xEF else 4 if 0xF0 <= lead <= 0xF4 else 1
    for lead in range(256)
)


def boundary(data: bytes | Ring, cut: int) -> int:
    """Return the greatest position up to ``cut`` that is not inside a character.

    An incomplete character at the end of ``data`` counts as a character.
    """
    if cut < len(data) and data[cut] & _CONTINUATION_MASK != _CONTINUATION:
        return cut
    for back in range(1, min(_MAX_INCOMPLETE, cut) + 1):
        byte = data[cut - back]
        if byte & _CONTINUATION_MASK != _CONTINUATION:
            return cut - back if _LENGTHS[byte] > back else cut
    return cut


def _kind(stream: int, *, background: bool) -> int:
    return stream | (_BACKGROUND if background else 0)


class Piece(msgspec.Struct, frozen=True):
    """Bytes of one stream, read up to the offset ``end``.

    A piece of text holds whole characters: it begins with bytes that were held back before, and
    lacks those that are held back now.
    """

    stream: str
    data: bytes
    end: int
    background: bool


class Gap(msgspec.Struct, frozen=True):
    """Evicted bytes, from offset ``start`` to ``end``."""

    start: int
    end: int


class Buffer:
    """Holds the last ``capacity`` bytes; older ones are evicted."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._data = Ring(capacity + _READ_SIZE)
        # Runs of one kind: (end << 2 | background | stream). Those before _first are evicted.
        self._runs: array[int] = array("Q")
        self._first = 0
        # The bytes of each kind's character that was incomplete at the oldest byte.
        self._evicted = [b""] * (1 << _KIND_BITS)
        self.incomplete_ends: dict[int, Piece] = {}
        """Incomplete characters at the ends of streams, by kind, in the order of those ends."""
        self.start = 0
        """Offset of the oldest byte in the buffer."""
        self.end = 0
        """Offset after the newest byte."""
        self.totals = [0, 0]
        """Bytes received so far, by stream."""

    def __len__(self) -> int:
        return len(self._data)

    def append(self, stream: int, data: bytes, *, background: bool = False) -> None:
        """Append bytes that were read from ``stream``."""
        if not data:
            return
        kind = _kind(stream, background=background)
        self._data.append(data)
        self.end += len(data)
        self.totals[stream] += len(data)
        run = self.end << _KIND_BITS | kind
        if len(self._runs) > self._first and self._runs[-1] & _KIND_MASK == kind:
            self._runs[-1] = run
        else:
            self._runs.append(run)
        if len(self._data) > self._capacity:
            self._evict(len(self._data) - self._capacity)

    def finish(self, stream: int, *, background: bool = False) -> bool:
        """Record the end of ``stream``. Returns whether its last character is incomplete."""
        if not self.totals[stream]:
            return False
        kind = _kind(stream, background=background)
        data = self._incomplete(kind, self.end)
        if data:
            piece = Piece(STREAMS[stream], data, self.end, background)
            self.incomplete_ends.setdefault(kind, piece)
        return bool(data)

    def _evict(self, count: int) -> None:
        at = self.start + count
        self._evicted = [self._incomplete(kind, at) for kind in range(len(self._evicted))]
        self.start = at
        self._data.drop(count)
        while self._first < len(self._runs) and self._runs[self._first] >> _KIND_BITS <= self.start:
            self._first += 1
        if self._first > 1024 and self._first * 2 > len(self._runs):
            del self._runs[: self._first]
            self._first = 0

    def _run_at(self, offset: int) -> int:
        """Return the index of the run that holds the byte at ``offset``."""
        return bisect_right(self._runs, offset << _KIND_BITS | _KIND_MASK, lo=self._first)

    def _begin_of(self, index: int) -> int:
        return self._runs[index - 1] >> _KIND_BITS if index > self._first else self.start

    def align(self, offset: int) -> int:
        """Return the start of the character that contains ``offset``.

        Returns ``offset`` unchanged if reading from that start would repeat bytes: if the other
        stream has written in between, or another incomplete character precedes. Text read from
        ``offset`` then still begins with the character's first bytes, found by looking back.
        """
        if not self.start < offset < self.end:
            return offset
        index = self._run_at(offset)
        found = self.start + boundary(self._data, offset - self.start)
        if found < self._begin_of(index) or self._incomplete(self._runs[index] & _KIND_MASK, found):
            return offset
        return found

    def _incomplete(self, kind: int, offset: int) -> bytes:
        """Return the bytes of ``kind``'s character that is incomplete at ``offset``."""
        found = b""
        stop, index = offset, self._run_at(offset)
        while stop > self.start and len(found) < _MAX_INCOMPLETE:
            begin = self._begin_of(index)
            if index < len(self._runs):
                run = self._runs[index] & _KIND_MASK
                if (run ^ kind) & _BACKGROUND:
                    break  # the leader's end lies between, and the character was delivered there
                if run == kind:
                    count = _MAX_INCOMPLETE - len(found)
                    found = self._read(max(begin, stop - count), stop) + found
            stop, index = begin, index - 1
        if stop == self.start:
            found = self._evicted[kind] + found
        return found[boundary(found, len(found)) :]

    def incomplete(self, offset: int) -> dict[str, bytes]:
        """Return the bytes before ``offset`` that precede text read from there, by stream."""
        return {
            name: self._incomplete(stream, offset) or self._incomplete(stream | _BACKGROUND, offset)
            for stream, name in enumerate(STREAMS)
        }

    def _first_character(self) -> int:
        """Return the offset of the first character that is wholly in the buffer."""
        if self.start == self.end:
            return self.start
        at, run = self.start, self._runs[self._first]
        if not self._evicted[run & _KIND_MASK]:
            return at
        stop = min(run >> _KIND_BITS, at + _MAX_INCOMPLETE)
        while at < stop and self._data[at - self.start] & _CONTINUATION_MASK == _CONTINUATION:
            at += 1
        return at

    def _read(self, begin: int, stop: int) -> bytes:
        return self._data.read(begin - self.start, stop - self.start)

    def grow(self, count: int) -> None:
        """Raise the capacity by ``count`` bytes."""
        self._capacity += count

    def since(self, offset: int, limit: int, *, text: bool = False) -> Piece | Gap | None:
        """Return what follows ``offset``: a piece of at most ``limit`` bytes of one stream.

        Returns a Gap if bytes after ``offset`` were evicted, None if there are no more bytes yet. A
        piece of text is empty if all its bytes are held back.
        """
        if offset >= self.end or limit <= 0:
            return None
        if offset < self.start:
            return Gap(offset, self._first_character() if text else self.start)
        run = self._runs[self._run_at(offset)]
        stop = min(run >> _KIND_BITS, offset + limit)
        data = self._read(offset, stop)
        if text:
            data = self._incomplete(run & _KIND_MASK, offset) + data
            data = data[: boundary(data, len(data))]
        return Piece(STREAMS[run & 1], data, stop, background=bool(run & _BACKGROUND))

    def skip(self, offset: int) -> None:
        """Move the end forward to ``offset``: the bytes up to it count as received and evicted."""
        if offset > self.end:
            self.end = offset
            self.clear()

    def clear(self) -> None:
        """Evict everything."""
        if len(self._data):
            self._evict(len(self._data))
        self.start = self.end
        self._data.clear()
        del self._runs[:]
        self._first = 0

    def tail(self, limit: int) -> bytes:
        """Return about the last ``limit`` bytes of both streams, from the start of a character."""
        begin = max(0, len(self._data) - limit)
        return self._data.read(boundary(self._data, begin), len(self._data))
