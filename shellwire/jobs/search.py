"""Find a text in a job's output, which arrives in pieces of two streams; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.jobs.buffer import STREAMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shellwire.jobs.buffer import Piece


class Search:
    """Searches consecutive pieces for ``text``, which must lie in one stream.

    A match may begin in ``before``: the bytes that precede the first piece, by stream.
    """

    def __init__(self, text: bytes, before: Mapping[str, bytes] | None = None) -> None:
        self._text = text
        self._tails = {**dict.fromkeys(STREAMS, b""), **(before or {})}

    def feed(self, piece: Piece) -> int | None:
        """Return the offset at the end of the first match if it ends in ``piece``, else None."""
        data = self._tails[piece.stream] + piece.data
        at = data.find(self._text)
        if at >= 0:
            return piece.end - (len(data) - at - len(self._text))
        self._tails[piece.stream] = _last(data, len(self._text) - 1)
        return None


def match_start(pieces: Sequence[Piece], text: bytes) -> int:
    """Return the offset where an incomplete match of ``text`` at the end of ``pieces`` begins.

    Without such a match it is the end of the last piece.
    """
    first = pieces[-1].end
    for stream in STREAMS:
        own = [piece for piece in pieces if piece.stream == stream]
        length = _prefix_length(own, text)
        for piece in reversed(own):
            if length <= len(piece.data):
                first = min(first, piece.end - length) if length else first
                break
            length -= len(piece.data)
    return first


def _prefix_length(pieces: Sequence[Piece], text: bytes) -> int:
    """Return the length of the longest proper prefix of ``text`` that ``pieces`` end with."""
    tail = b""
    for piece in reversed(pieces):
        tail = piece.data[-len(text) :] + tail
        if len(tail) >= len(text):
            break
    tail = _last(tail, len(text) - 1)
    return next((len(tail) - at for at in range(len(tail)) if text.startswith(tail[at:])), 0)


def _last(data: bytes, count: int) -> bytes:
    return data[max(0, len(data) - count) :]
