"""A long poll: one request for a job's output, which may wait for output to arrive."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.jobs.buffer import Gap, Piece
from shellwire.jobs.cursor import Cursor
from shellwire.jobs.output import no_op
from shellwire.jobs.search import Search, match_start
from shellwire.jobs.snapshot import state_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.jobs.job import Job
    from shellwire.jobs.model import State

MAX_PIECES = 4096
"""The most pieces in one page: two alternating streams could make one piece of each byte."""

_SCAN = 64 * 1024


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to a poll: consecutive ``pieces`` up to ``end``, after ``gap`` if there is one."""

    pieces: tuple[Piece, ...]
    gap: Gap | None
    end: int
    state: State
    exit_code: int | None
    """Set once the leader has exited and all its output lies before ``end``."""
    matched: bool
    """Whether the page ends with the text ``until``."""


class LongPoll:
    """Waits at most ``wait`` seconds for output of ``job`` after the offset ``after``.

    For ``text`` an incomplete character does not count as output. With ``until`` the wait lasts
    until one stream contains that text, or ``max_bytes`` have arrived. The job's outcome ends every
    wait. A ``passive`` reader has no effect on the job. ``ready()`` is called, perhaps more than
    once, when ``take`` can return the answer.
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
        passive: bool = False,
    ) -> None:
        self.job = job
        self._after = after
        self._max_bytes = max_bytes
        self._until = until
        self._ready = ready
        self._text = text
        # Reads new output; a search for ``until`` reads all bytes in the order received.
        self._cursor = Cursor(job.buffer, after, text=text and until is None)
        self._search = self._start_search(after)
        self._match: int | None = None
        self._is_due = wait <= 0
        self._viewer = job.readers.view(self._on_change, silent=True, passive=passive)
        self._timer: asyncio.TimerHandle | None = None
        if wait > 0:
            self._timer = asyncio.get_running_loop().call_later(wait, self._expire)
        self._on_change()

    def close(self) -> None:
        """Stop waiting."""
        self.job.readers.leave(self._viewer)
        self._ready = no_op
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        self._is_due = True
        self._ready()

    def _on_change(self) -> None:
        if self._search_new() or self._is_due or self.job.outcome is not None:
            self._is_due = True
            self._ready()

    def _start_search(self, offset: int) -> Search:
        """Return a search for ``until`` in what a page from ``offset`` would contain."""
        self._search_start = offset
        before = self.job.buffer.incomplete(offset) if self._text else None
        return Search(self._until or b"", before)

    def _search_new(self) -> bool:
        """Read new output. Returns whether the wait is over."""
        while self._match is None:
            if (
                self._until is not None
                and self._cursor.offset - self._search_start >= self._max_bytes
            ):
                return True
            event = self._cursor.take(_SCAN)
            if event is None:
                return False
            if self._until is None:
                if isinstance(event, Gap) or event.data:
                    return True
            elif isinstance(event, Gap):
                self._search = self._start_search(event.end)
            else:
                self._match = self._search.feed(event)
        return True

    def take(self) -> Page | None:
        """Return the answer from the output so far; None while the poll waits."""
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
            state=state_of(self.job),
            exit_code=outcome.exit_code if outcome and cursor.has_read(outcome.at) else None,
            matched=cursor.offset == self._match,
        )

    def _stop(self, begin: int) -> int:
        """Return the greatest offset at which a page from ``begin`` may end."""
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
        # A possible beginning of the text is left to the next page, which can then match it.
        first = match_start(pieces, self._until)
        return first if first > begin or end == buffer.end else end

    def _read(self, cursor: Cursor, stop: int) -> list[Piece]:
        # A page always contains its first character, even if that has more than max_bytes bytes:
        # otherwise the reader would never advance.
        minimum = 1 if stop - cursor.offset >= self._max_bytes else 0
        pieces: list[Piece] = []
        while len(pieces) < MAX_PIECES:
            event = cursor.take(max(stop - cursor.offset, 0 if pieces else minimum))
            if not isinstance(event, Piece):
                break
            if event.data:
                pieces.append(event)
        return pieces
