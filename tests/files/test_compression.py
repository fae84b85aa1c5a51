"""gzip and zstd: round trips in bounded pieces, and refusal of invalid data."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shellwire.errors import InvalidArgument
from shellwire.files.compression import (
    CompressingWriter,
    Compression,
    DecompressedReader,
    Decompressor,
    compressor,
    is_available,
)

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = get_args(Compression)


def compressed(kind: Compression, data: bytes) -> bytes:
    made = compressor(kind)
    return made.compress(data) + made.flush()


@given(st.sampled_from(KINDS), st.lists(st.binary()), st.integers(1, 50))
def test_round_trip(kind: Compression, parts: list[bytes], step: int) -> None:
    # Concatenated streams, each cut anywhere.
    data = b"".join(compressed(kind, part) for part in parts)
    found = bytearray()
    decompressor = Decompressor(kind)
    for at in range(0, len(data), step):
        decompressor.feed(data[at : at + step], found.extend)
    assert found == b"".join(parts)
    if parts:
        decompressor.finish()


@pytest.mark.parametrize("kind", KINDS)
def test_bombs_are_decompressed_in_pieces(kind: Compression) -> None:
    size = 64 * 1024 * 1024
    pieces: list[int] = []
    decompressor = Decompressor(kind)
    decompressor.feed(compressed(kind, bytes(size)), lambda data: pieces.append(len(data)))
    assert sum(pieces) == size
    assert max(pieces) <= 1024 * 1024


@pytest.mark.parametrize("kind", KINDS)
def test_invalid_data_is_refused(kind: Compression) -> None:
    def drop(_: bytes) -> None:
        pass

    with pytest.raises(InvalidArgument):
        Decompressor(kind).feed(b"neither of them", drop)
    cut = Decompressor(kind)
    cut.feed(compressed(kind, b"x" * 1000)[:-1], drop)
    with pytest.raises(InvalidArgument):
        cut.finish()
    with pytest.raises(InvalidArgument):
        Decompressor(kind).finish()


@pytest.mark.parametrize("kind", KINDS)
def test_file_objects(kind: Compression) -> None:
    target = io.BytesIO()
    writer = CompressingWriter(target, kind)
    for number in range(1000):
        writer.write(b"%d\n" % number)
    writer.finish()
    reader = DecompressedReader(io.BytesIO(target.getvalue()), kind)
    read: Callable[[], bytes] = lambda: reader.read(17)  # noqa: E731
    assert b"".join(iter(read, b"")) == b"".join(b"%d\n" % number for number in range(1000))
    if kind == "gzip":
        assert gzip.decompress(target.getvalue()).startswith(b"0\n1\n")


def test_both_are_available() -> None:
    assert all(map(is_available, KINDS))
