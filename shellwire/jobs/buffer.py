"""A job's output: bounded bytes with absolute offsets; pure.

Both streams are counted together in the order received. An offset is given to a byte only when
the character that it belongs to is complete (UTF-8, RFC 3629), so every piece that is read from
here can be decoded on its own, whoever reads it and from where.
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

# How many bytes a character has whose first byte is this; 1 where that byte begins none.
_LENGTHS = bytes(
    2 if 0xC2 <= lead <= 0xDF else 3 if 0xE0 <= lead <= 0xEF else 4 if 0xF0 <= lead <= 0xF4 else 1
    for lead in range(256)
)


def incomplete_tail(data: bytes | bytearray) -> int:
    """Return how many bytes at the end of ``data`` begin an incomplete character: 0 to 3."""
    return len(data) - boundary(data, len(data))


def boundary(data: bytes | bytearray | Ring, cut: int) -> int:
    """Return the greatest position up to ``cut`` that is not inside a character.

    At the end of ``data`` a character that may still come to be complete counts as one.
    """
    if cut < len(data) and data[cut] & 0xC0 != 0x80:
        return cut
    for back in range(1, min(3, cut) + 1):
        byte = data[cut - back]
        if byte & 0xC0 != 0x80:
            return cut - back if _LENGTHS[byte] > back else cut
    return cut


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of one stream in a row. ``end`` is the offset behind the last of them."""

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
    """Holds the last ``capacity`` bytes; older ones are evicted whole characters at a time."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._data = Ring(capacity + _AT_ONCE)
        # Runs of one kind: (end << 2 | background | stream); those before _first are gone.
        self._runs: array[int] = array("Q")
        self._first = 0
        self._tails = [b"", b""]
        self.start = 0
        """Offset of the oldest byte that is here."""
        self.end = 0
        """Offset behind the newest byte."""
        self.totals = [0, 0]
        """Bytes that got an offset, by stream."""

    def __len__(self) -> int:
        return len(self._data)

    @property
    def held(self) -> int:
        """Bytes that wait for the rest of their character."""
        return sum(map(len, self._tails))

    def waits(self, stream: int) -> bool:
        """Whether something of ``stream`` waits for the rest of its character."""
        return bool(self._tails[stream])

    def append(self, stream: int, data: bytes, *, background: bool = False) -> None:
        """Take what was read from ``stream``; an incomplete character at its end waits."""
        if self._tails[stream]:
            data = self._tails[stream] + data
        held = incomplete_tail(data)
        if held:
            self._tails[stream] = data[-held:]
            data = data[:-held]
        else:
            self._tails[stream] = b""
        self._add(stream, data, background=background)

    def flush(self, stream: int, *, background: bool = False) -> None:
        """Give offsets to what waits for the rest of its character: there will be none."""
        data, self._tails[stream] = self._tails[stream], b""
        self._add(stream, data, background=background)

    def _add(self, stream: int, data: bytes, *, background: bool) -> None:
        if not data:
            return
        kind = stream | (_BACKGROUND if background else 0)
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

    def _evict(self, count: int) -> None:
        # Forward to the next boundary: a character whose first byte goes, goes whole.
        while self.align(self.start + count) != self.start + count:
            count += 1
        self.start += count
        self._data.drop(count)
        while self._first < len(self._runs) and self._runs[self._first] >> _KIND_BITS <= self.start:
            self._first += 1
        if self._first > 1024 and self._first * 2 > len(self._runs):
            del self._runs[: self._first]
            self._first = 0

    def align(self, offset: int) -> int:
        """Return ``offset``, or the start of the character that it lies in."""
        if not self.start < offset < self.end:
            return offset
        # No character reaches from one run into the next: a run may end in the middle of one that
        # never came to be complete.
        index = bisect_right(self._runs, offset << _KIND_BITS | _KIND_MASK, lo=self._first)
        begin = self._runs[index - 1] >> _KIND_BITS if index > self._first else self.start
        return max(begin, self.start + boundary(self._data, offset - self.start))

    def grow(self, count: int) -> None:
        """Make room for ``count`` more bytes than were allowed so far."""
        self._capacity += count

    def since(self, offset: int, limit: int) -> Piece | Gap | None:
        """Return what comes next after ``offset``: at most ``limit`` bytes of one stream.

        A Gap when bytes after ``offset`` were evicted; None when there is nothing more yet, or when
        the next character is longer than ``limit`` (from 4 on none is).
        """
        if offset < self.start:
            return Gap(offset, self.start)
        if offset >= self.end:
            return None
        index = bisect_right(self._runs, offset << _KIND_BITS | _KIND_MASK, lo=self._first)
        run = self._runs[index]
        begin = offset - self.start
        stop = (run >> _KIND_BITS) - self.start
        if begin + limit < stop:
            stop = boundary(self._data, begin + limit)
            if stop <= begin:
                return None
        return Piece(
            stream=STREAMS[run & 1],
            data=self._data.read(begin, stop),
            end=self.start + stop,
            background=bool(run & _BACKGROUND),
        )

    def skip(self, offset: int) -> None:
        """Count bytes up to ``offset`` as written and evicted, if there are fewer so far."""
        if offset > self.end:
            self.end = offset
            self.clear()

    def clear(self) -> None:
        """Evict everything."""
        self.start = self.end
        self._data.clear()
        del self._runs[:]
        self._first = 0

    def tail(self, limit: int) -> bytes:
        """Return the last bytes, about ``limit``, of both streams as they came."""
        begin = max(0, len(self._data) - limit)
        return self._data.read(boundary(self._data, begin), len(self._data))
