"""A job's output: bounded bytes with absolute offsets; pure.

Both streams are counted together in the order received, and each byte has its offset as soon as it
is read. Who wants text reads by one more rule. What a stream has written of a character that is
not finished yet (UTF-8, RFC 3629: up to 3 bytes) is passed over, and comes in front of that
stream's next piece. Which bytes those are is found by looking back from the offset, so it follows
from buffer and offset alone: whoever reads from there, and however he came there, reads the same.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass

from shellwire.jobs.ring import Ring

STDOUT, STDERR = 0, 1
STREAMS = ("stdout", "stderr")

# What is put in before what is too much goes: as much as is read at once.
_AT_ONCE = 64 * 1024

_BACKGROUND = 2
_KIND_BITS = 2
_KIND_MASK = (1 << _KIND_BITS) - 1

# Bytes behind a character's first one are 10xxxxxx (RFC 3629, 3); of one that is not finished there
# are at most three.
_CONTINUATION = 0x80
_CONTINUATION_MASK = 0xC0
_LONGEST_BEGINNING = 3

# How many bytes a character has whose first byte is this; 1 where that byte begins none.
_LENGTHS = bytes(
    2 if 0xC2 <= lead <= 0xDF else 3 if 0xE0 <= lead <= 0xEF else 4 if 0xF0 <= lead <= 0xF4 else 1
    for lead in range(256)
)


def boundary(data: bytes | Ring, cut: int) -> int:
    """Return the greatest position up to ``cut`` that is not inside a character.

    At the end of ``data`` a character that may still come to be complete counts as one.
    """
    if cut < len(data) and data[cut] & _CONTINUATION_MASK != _CONTINUATION:
        return cut
    for back in range(1, min(_LONGEST_BEGINNING, cut) + 1):
        byte = data[cut - back]
        if byte & _CONTINUATION_MASK != _CONTINUATION:
            return cut - back if _LENGTHS[byte] > back else cut
    return cut


def _kind(stream: int, *, background: bool) -> int:
    return stream | (_BACKGROUND if background else 0)


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of one stream, read up to the offset ``end``.

    As text it holds whole characters: with what was passed over before, without what is now.
    """

    stream: str
    data: bytes
    end: int
    background: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes from offset ``start`` to ``end`` that are no longer here."""

    start: int
    end: int


class Buffer:
    """Holds the last ``capacity`` bytes; older ones are evicted."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._data = Ring(capacity + _AT_ONCE)
        # Runs of one kind: (end << 2 | background | stream); those before _first are gone.
        self._runs: array[int] = array("Q")
        self._first = 0
        # What each kind had written of a character that was unfinished where the oldest byte is.
        self._evicted = [b""] * (1 << _KIND_BITS)
        self.unfinished: dict[int, Piece] = {}
        """What streams that have ended left of a character, by kind, in the order of their ends."""
        self.start = 0
        """Offset of the oldest byte that is here."""
        self.end = 0
        """Offset behind the newest byte."""
        self.totals = [0, 0]
        """Bytes that were read, by stream."""

    def __len__(self) -> int:
        return len(self._data)

    def append(self, stream: int, data: bytes, *, background: bool = False) -> None:
        """Take what was read from ``stream``."""
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
        """Take note that ``stream`` writes no more. Returns whether a character is unfinished."""
        kind = _kind(stream, background=background)
        data = self._beginning(kind, self.end)
        if data:
            piece = Piece(STREAMS[stream], data, self.end, background)
            self.unfinished.setdefault(kind, piece)
        return bool(data)

    def _evict(self, count: int) -> None:
        at = self.start + count
        self._evicted = [self._beginning(kind, at) for kind in range(len(self._evicted))]
        self.start = at
        self._data.drop(count)
        while self._first < len(self._runs) and self._runs[self._first] >> _KIND_BITS <= self.start:
            self._first += 1
        if self._first > 1024 and self._first * 2 > len(self._runs):
            del self._runs[: self._first]
            self._first = 0

    def _run_at(self, offset: int) -> int:
        """Return the index of the run that holds the byte behind ``offset``."""
        return bisect_right(self._runs, offset << _KIND_BITS | _KIND_MASK, lo=self._first)

    def _begin_of(self, index: int) -> int:
        return self._runs[index - 1] >> _KIND_BITS if index > self._first else self.start

    def align(self, offset: int) -> int:
        """Return ``offset``, or the start of the character that it lies in.

        It stays where reading from that start would bring something twice, for the other stream
        has written between, or another unfinished character stands before. By looking back this
        one is found all the same.
        """
        if not self.start < offset < self.end:
            return offset
        index = self._run_at(offset)
        found = self.start + boundary(self._data, offset - self.start)
        if found < self._begin_of(index) or self._beginning(self._runs[index] & _KIND_MASK, found):
            return offset
        return found

    def _beginning(self, kind: int, offset: int) -> bytes:
        """Return what ``kind`` has written, last before ``offset``, of an unfinished character."""
        found = b""
        stop, index = offset, self._run_at(offset)
        while stop > self.start and len(found) < _LONGEST_BEGINNING:
            begin = self._begin_of(index)
            if index < len(self._runs):
                run = self._runs[index] & _KIND_MASK
                if (run ^ kind) & _BACKGROUND:
                    break  # the job's end lies between: what was unfinished has come there
                if run == kind:
                    room = _LONGEST_BEGINNING - len(found)
                    found = self._read(max(begin, stop - room), stop) + found
            stop, index = begin, index - 1
        if stop == self.start:
            found = self._evicted[kind] + found
        return found[boundary(found, len(found)) :]

    def passed_over(self, offset: int) -> dict[str, bytes]:
        """Return what text from ``offset`` on begins with, by stream: what has come of that."""
        return {
            name: self._beginning(stream, offset) or self._beginning(stream | _BACKGROUND, offset)
            for stream, name in enumerate(STREAMS)
        }

    def _first_whole(self) -> int:
        """Return where the first character begins of which nothing has been evicted."""
        if self.start == self.end:
            return self.start
        at, run = self.start, self._runs[self._first]
        if not self._evicted[run & _KIND_MASK]:
            return at
        stop = min(run >> _KIND_BITS, at + _LONGEST_BEGINNING)
        while at < stop and self._data[at - self.start] & _CONTINUATION_MASK == _CONTINUATION:
            at += 1
        return at

    def _read(self, begin: int, stop: int) -> bytes:
        return self._data.read(begin - self.start, stop - self.start)

    def grow(self, count: int) -> None:
        """Make room for ``count`` more bytes than were allowed so far."""
        self._capacity += count

    def since(self, offset: int, limit: int, *, text: bool = False) -> Piece | Gap | None:
        """Return what comes next after ``offset``: at most ``limit`` bytes of one stream.

        A Gap when bytes after ``offset`` were evicted; None when there is nothing more yet. As
        text a piece may be empty, when all that it has read is passed over.
        """
        if offset >= self.end or limit <= 0:
            return None
        if offset < self.start:
            return Gap(offset, self._first_whole() if text else self.start)
        run = self._runs[self._run_at(offset)]
        stop = min(run >> _KIND_BITS, offset + limit)
        data = self._read(offset, stop)
        if text:
            data = self._beginning(run & _KIND_MASK, offset) + data
            data = data[: boundary(data, len(data))]
        return Piece(STREAMS[run & 1], data, stop, background=bool(run & _BACKGROUND))

    def skip(self, offset: int) -> None:
        """Count bytes up to ``offset`` as written and evicted, if there are fewer so far."""
        if offset > self.end:
            self.end = offset
            self.clear()

    def clear(self) -> None:
        """Evict everything."""
        self._evict(len(self._data))
        self.start = self.end
        self._data.clear()
        del self._runs[:]
        self._first = 0

    def tail(self, limit: int) -> bytes:
        """Return the last bytes, about ``limit``, of both streams as they came."""
        begin = max(0, len(self._data) - limit)
        return self._data.read(boundary(self._data, begin), len(self._data))
