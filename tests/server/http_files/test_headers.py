"""HTTP headers about representations, by the RFCs."""

from __future__ import annotations

import pytest

from shellwire.errors import InvalidArgument
from shellwire.server.http_files import headers
from shellwire.server.http_files.headers import Unsatisfiable

HASH = "0f" * 32


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-0", (0, 1)),
        ("bytes=2-4", (2, 5)),
        ("bytes=2-", (2, 10)),
        ("bytes=2-100", (2, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-100", (0, 10)),
        ("bytes = 9 - 9", (9, 10)),
        ("Bytes=1-1", (1, 2)),
        ("bytes=4-2", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("bytes=a-b", None),
        ("lines=0-1", None),
        ("bytes=٣-٤", None),
    ],
)
def test_ranges(header: str | None, expected: tuple[int, int] | None) -> None:
    assert headers.requested_range(header, 10) == expected


@pytest.mark.parametrize(("header", "size"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0)])
def test_ranges_beyond(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        headers.requested_range(header, size)


def test_content_ranges() -> None:
    assert headers.content_range(None) is None
    assert headers.content_range("bytes 0-4/10") == ((0, 5), 10)
    assert headers.content_range("bytes */10") == (None, 10)
    for wrong in ("", "bytes 0-4", "bytes 4-0/10", "bytes 5-10/10", "bytes 0-4/*", "bytes x"):
        with pytest.raises(InvalidArgument):
            headers.content_range(wrong)


def test_digests() -> None:
    digest = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert headers.digest(f"sha-512=:AAAA:, sha-256=:{digest}:") == expected
    assert headers.digest(None) == headers.digest("sha-512=:AAAA:") == ""
    for wrong in ("sha-256=:AAAA:", "sha-256=:A:"):
        with pytest.raises(InvalidArgument):
            headers.digest(wrong)


@pytest.mark.parametrize(
    ("header", "strong", "weak"),
    [
        (f'"{HASH}"', True, True),
        (f'"x", "{HASH}-gzip"', True, True),
        (f'W/"{HASH}"', False, True),
        ("*", True, True),
        ('"x"', False, False),
        (HASH, False, False),
    ],
)
def test_tags(header: str, *, strong: bool, weak: bool) -> None:
    assert headers.names_hash(header, HASH, weak=False) == strong
    assert headers.names_hash(header, HASH, weak=True) == weak
    assert not headers.names_hash(header, None, weak=True)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", ""),
        ("gzip", "gzip"),
        ("gzip, zstd", "zstd"),
        ("GZIP;q=0.5", "gzip"),
        ("zstd;q=0, gzip", "gzip"),
        ("*", "zstd"),
        ("*;q=0", ""),
        ("br, deflate", ""),
        ("gzip;q=x", ""),
        ("identity", ""),
    ],
)
def test_encodings(header: str, expected: str) -> None:
    assert headers.chosen_encoding(header, ("zstd", "gzip")) == expected
