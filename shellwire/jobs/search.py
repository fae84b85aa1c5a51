"""Finding a text in a job's output, which comes in pieces of two streams; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.jobs.buffer import STREAMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shellwire.jobs.buffer import Piece


class Search:
    """Looks for ``text``, whole in one stream, in pieces that follow one another.

    It may begin in what the streams had written ``before``.
    """

    def __init__(self, text: bytes, before: Mapping[str, bytes] | None = None) -> None:
        self._text = text
        self._tails = {**dict.fromkeys(STREAMS, b""), **(before or {})}

    def feed(self, piece: Piece) -> int | None:
        """Return the offset behind the first place where it stands, if that ends in ``piece``."""
        data = self._tails[piece.stream] + piece.data
        at = data.find(self._text)
        if at >= 0:
            return piece.end - (len(data) - at - len(self._text))
        self._tails[piece.stream] = _last(data, len(self._text) - 1)
        return None


def unfinished(pieces: Sequence[Piece], text: bytes) -> int:
    """Return the offset where ``text`` may begin whose end the pieces don't have yet.

    It is the end of the last piece if it can't.
    """
    first = pieces[-1].end
    for stream in STREAMS:
        own = [piece for piece in pieces if piece.stream == stream]
        length = _beginning(own, text)
        for piece in reversed(own):
            if length <= len(piece.data):
                first = min(first, piece.end - length) if length else first
                break
            length -= len(piece.data)
    return first


def _beginning(pieces: Sequence[Piece], text: bytes) -> int:
    """Return how many bytes at the end of ``pieces`` are the beginning of ``text``, not all."""
    tail = b""
    for piece in reversed(pieces):
        tail = piece.data[-len(text) :] + tail
        if len(tail) >= len(text):
            break
    tail = _last(tail, len(text) - 1)
    return next((len(tail) - at for at in range(len(tail)) if text.startswith(tail[at:])), 0)


def _last(data: bytes, count: int) -> bytes:
    return data[max(0, len(data) - count) :]
