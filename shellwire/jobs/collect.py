"""Keep the head and the tail of a command's output for its result; bounded memory, pure."""

from __future__ import annotations

from collections import deque

from shellwire.output import head_length, left_out


class Collector:
    """The first 40 % and the last 60 % of ``max_chars`` characters of one stream."""

    def __init__(self, max_chars: int) -> None:
        self._max = max_chars
        self._head: list[str] = []
        self._head_left = head_length(max_chars)
        self._tail: deque[str] = deque()
        self._tail_length = 0
        self._total = 0

    def add(self, text: str) -> None:
        """Add the next characters."""
        self._total += len(text)
        if self._head_left:
            head, text = text[: self._head_left], text[self._head_left :]
            self._head.append(head)
            self._head_left -= len(head)
        if text:
            self._tail.append(text)
            self._tail_length += len(text)
            tail_max = self._max - head_length(self._max)
            while self._tail and self._tail_length - len(self._tail[0]) >= tail_max:
                self._tail_length -= len(self._tail.popleft())

    def finish(self) -> tuple[str, bool]:
        """Return the text, and whether characters between head and tail were dropped."""
        tail_max = self._max - head_length(self._max)
        head, tail = "".join(self._head), "".join(self._tail)
        missing = self._total - len(head) - min(len(tail), tail_max)
        if not missing:
            return head + tail, False
        return head + left_out(missing) + tail[len(tail) - tail_max :], True
