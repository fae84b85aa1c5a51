"""A long poll: one question for a job's output, which may wait until there is an answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.jobs.buffer import Gap, Piece
from shellwire.jobs.cursor import Cursor
from shellwire.jobs.output import nobody
from shellwire.jobs.search import Search, unfinished

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.jobs.job import Job
    from shellwire.jobs.model import State

MAX_PIECES = 4096
"""Pieces in one page at most: two streams in turns could make one of each byte."""

_SCAN = 64 * 1024


@dataclass(frozen=True, slots=True)
class Page:
    """What a poll found: ``pieces`` in a row up to ``end``, behind ``gap`` if there is one."""

    pieces: tuple[Piece, ...]
    gap: Gap | None
    end: int
    state: State
    exit_code: int | None
    """Set once the job has ended and nothing that it wrote until then comes after ``end``."""
    matched: bool
    """Whether it ends with the text that was waited for."""


class LongPoll:
    """Waits for output of ``job`` after ``after``, at most ``wait`` seconds.

    As ``text`` what is unfinished of a character does not count as output. With ``until`` only that
    counts, whole in one stream, or as many bytes as a page may have. An end of the job counts in
    any case. ``ready()`` is called, perhaps more than once, when ``take`` has the answer.
    """

    def __init__(
        self,
        job: Job,
        *,
        after: int,
        max_bytes: int,
        wait: float,
        until: bytes | None,
        text: bool,
        ready: Callable[[], None],
    ) -> None:
        self.job = job
        self._after = after
        self._max_bytes = max_bytes
        self._until = until
        self._ready = ready
        self._text = text
        # What it looks for output with; for ``until`` at all bytes, as they came.
        self._cursor = Cursor(job.buffer, after, text=text and until is None)
        self._search = self._begin(after)
        self._match: int | None = None
        self._is_due = wait <= 0
        self._viewer = job.readers.view(self._look, silent=True)
        self._timer: asyncio.TimerHandle | None = None
        if wait > 0:
            self._timer = asyncio.get_running_loop().call_later(wait, self._expire)
        self._look()

    def close(self) -> None:
        """Wait no longer."""
        self.job.readers.leave(self._viewer)
        self._ready = nobody
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        self._is_due = True
        self._ready()

    def _look(self) -> None:
        if self._find() or self._is_due or self.job.outcome is not None:
            self._is_due = True
            self._ready()

    def _begin(self, offset: int) -> Search:
        """Look for ``until`` from an offset on, in what a page from there would show."""
        self._begun = offset
        before = self.job.buffer.passed_over(offset) if self._text else None
        return Search(self._until or b"", before)

    def _find(self) -> bool:
        """Look at what is new. Returns whether what it waits for is there."""
        while self._match is None:
            if self._until is not None and self._cursor.offset - self._begun >= self._max_bytes:
                return True
            event = self._cursor.take(_SCAN)
            if event is None:
                return False
            if self._until is None:
                if isinstance(event, Gap) or event.data:
                    return True
            elif isinstance(event, Gap):
                self._search = self._begin(event.end)
            else:
                self._match = self._search.feed(event)
        return True

    def take(self) -> Page | None:
        """Return the answer with what is there now, or None while it is not due."""
        if not self._is_due:
            return None
        outcome = self.job.outcome
        cursor = Cursor(self.job.buffer, self._after, text=self._text)
        event = cursor.take(1) if self._after < self.job.buffer.start else None
        gap = event if isinstance(event, Gap) else None
        pieces = self._read(cursor, self._stop(cursor.offset))
        return Page(
            pieces=tuple(pieces),
            gap=gap,
            end=cursor.offset,
            state=self.job.state,
            exit_code=outcome.exit_code if outcome and cursor.has_read(outcome.at) else None,
            matched=cursor.offset == self._match,
        )

    def _stop(self, begin: int) -> int:
        """Return the offset where a page from ``begin`` on has to end at the latest."""
        stop = begin + self._max_bytes
        if self._until is None:
            return stop
        if self._match is not None and self._match > begin:
            stop = min(stop, self._match)
        buffer = self.job.buffer
        pieces = self._read(Cursor(buffer, begin, text=False), stop)
        end = pieces[-1].end if pieces else begin
        if end in (begin, self._match) or (self.job.outcome is not None and end == buffer.end):
            return stop
        # What may be the beginning of the text stays for the next page, which is to find it.
        first = unfinished(pieces, self._until)
        return first if first > begin or end == buffer.end else end

    def _read(self, cursor: Cursor, stop: int) -> list[Piece]:
        # Where a page may have fewer bytes than its first character has, it has that one all the
        # same: else who asks for so few would never come on.
        least = 1 if stop - cursor.offset >= self._max_bytes else 0
        pieces: list[Piece] = []
        while len(pieces) < MAX_PIECES:
            event = cursor.take(max(stop - cursor.offset, 0 if pieces else least))
            if not isinstance(event, Piece):
                break
            if event.data:
                pieces.append(event)
        return pieces
