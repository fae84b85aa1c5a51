"""A long poll: one question for a job's output, which may wait until there is an answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.jobs.buffer import Gap, Piece
from shellwire.jobs.output import nobody
from shellwire.jobs.search import Search, unfinished

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.jobs.model import State
    from shellwire.jobs.readable import Readable

MAX_PIECES = 4096
"""Pieces in one page at most: two streams in turns could make one of each byte."""

_SCAN = 64 * 1024
_LONGEST_CHARACTER = 4


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


class Poll:
    """Waits for output of ``job`` after ``after``, at most ``wait`` seconds.

    With ``until`` only that text counts, whole in one stream, or as many bytes as a page may have.
    An end of the job counts in any case. ``ready()`` is called, perhaps more than once, when
    ``take`` has the answer.
    """

    def __init__(
        self,
        job: Readable,
        *,
        after: int,
        max_bytes: int,
        wait: float,
        until: bytes | None,
        ready: Callable[[], None],
    ) -> None:
        self.job = job
        self._after = after
        self._max_bytes = max_bytes
        self._until = until
        self._ready = ready
        self._search = None if until is None else Search(until)
        self._begun = self._looked = after
        self._match: int | None = None
        self._is_due = wait <= 0
        self._viewer = job.view(self._look, silent=True)
        self._timer: asyncio.TimerHandle | None = None
        if wait > 0:
            self._timer = asyncio.get_running_loop().call_later(wait, self._expire)
        self._look()

    def close(self) -> None:
        """Wait no longer."""
        self.job.leave(self._viewer)
        self._ready = nobody
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        self._is_due = True
        self._ready()

    def _look(self) -> None:
        found = self.job.buffer.end > self._after if self._search is None else self._find()
        if found or self._is_due or self.job.outcome is not None:
            self._is_due = True
            self._ready()

    def _find(self) -> bool:
        """Look at what is new. Returns whether the text is there, or enough without it."""
        while self._search is not None and self._match is None:
            if self._looked - self._begun >= self._max_bytes:
                return True
            event = self.job.buffer.since(self._looked, _SCAN)
            if event is None:
                return False
            self._looked = event.end
            if isinstance(event, Gap):
                self._begun, self._search = event.end, Search(self._until or b"")
            else:
                self._match = self._search.feed(event)
        return self._match is not None

    def take(self) -> Page | None:
        """Return the answer with what is there now, or None while it is not due."""
        if not self._is_due:
            return None
        outcome = self.job.outcome
        event = self.job.buffer.since(self._after, 1)
        gap = event if isinstance(event, Gap) else None
        begin = self._after if gap is None else gap.end
        pieces = self._pieces(begin)
        end = pieces[-1].end if pieces else begin
        return Page(
            pieces=tuple(pieces),
            gap=gap,
            end=end,
            state=self.job.state,
            exit_code=outcome.exit_code if outcome is not None and end >= outcome.at else None,
            matched=end == self._match,
        )

    def _pieces(self, begin: int) -> list[Piece]:
        stop = begin + self._max_bytes
        if self._match is not None and self._match > begin:
            stop = min(stop, self._match)
        pieces = self._read(begin, stop)
        buffer, is_over = self.job.buffer, self.job.outcome is not None
        end = pieces[-1].end if pieces else begin
        if self._until is None or end in (begin, self._match) or (is_over and end == buffer.end):
            return pieces
        # What may be the beginning of the text stays for the next page, which is to find it.
        stop = unfinished(pieces, self._until)
        return self._read(begin, stop) if stop > begin or end == buffer.end else pieces

    def _read(self, begin: int, stop: int) -> list[Piece]:
        pieces: list[Piece] = []
        at = begin
        while at < stop and len(pieces) < MAX_PIECES:
            event = self.job.buffer.since(at, stop - at)
            if event is None and not pieces:
                # So little was asked for that the next character is more.
                event = self.job.buffer.since(at, _LONGEST_CHARACTER)
            if not isinstance(event, Piece):
                break
            pieces.append(event)
            at = event.end
        return pieces
