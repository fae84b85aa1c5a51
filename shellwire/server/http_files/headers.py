"""Parse and format HTTP headers about representations (RFC 9110, RFC 9530); pure."""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from shellwire.errors import InvalidArgument

WANT_HASH = "Want-Repr-Digest"
"""The header that requests a hash, even if it must be computed (RFC 9530, 4)."""

# Names of units are case-insensitive (RFC 9110, 14.1).
_RANGE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)", re.ASCII | re.IGNORECASE)
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)", re.ASCII)
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/=]+):")
_TAG = re.compile(r'(W/)?"([^"]*)"')
_ACCEPTED = re.compile(r"\s*([\w*-]+)\s*(?:;\s*q\s*=\s*([0-9.]+)\s*)?")
# The suffix of the hash in the entity tag of an encoded representation.
_ENCODED = re.compile(r"-(?:gzip|zstd)$")


class Span(NamedTuple):
    """A range of bytes, from ``first`` up to but not including ``end``."""

    first: int
    end: int


class Unsatisfiable(Exception):
    """The range lies beyond the end of the file."""


def requested_range(header: str | None, size: int) -> Span | None:
    """Return the range that a ``Range`` header requests; None for the whole file.

    Several ranges, and an invalid header, also mean the whole file: a server may ignore ``Range``
    (RFC 9110, 14.2). Raises Unsatisfiable.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = min(int(match[2]), size)
        if not length:
            raise Unsatisfiable
        return Span(size - length, size)
    first = int(match[1])
    last = int(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return None
    if first >= size:
        raise Unsatisfiable
    return Span(first, min(last + 1, size))


class ContentRange(NamedTuple):
    """The part of a file in a request's body; ``span`` is None if it only asks for the offset."""

    span: Span | None
    total: int


def content_range(header: str | None) -> ContentRange | None:
    """Parse a ``Content-Range``. Raises InvalidArgument."""
    if header is None:
        return None
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if match is not None:
        total = int(match[3])
        if match[1] is None:
            return ContentRange(None, total)
        span = Span(int(match[1]), int(match[2]) + 1)
        if span.first < span.end <= total:
            return ContentRange(span, total)
    raise InvalidArgument("Content-Range: expected bytes FIRST-LAST/TOTAL, or bytes */TOTAL")


def digest(header: str | None) -> str:
    """Return the SHA-256 in a ``Repr-Digest``, in hexadecimal; empty if there is none.

    Raises InvalidArgument.
    """
    match = _DIGEST.search(header) if header else None
    if match is None:
        return ""
    try:
        found = base64.b64decode(match[1], validate=True)
    except binascii.Error:
        found = b""
    if len(found) != 32:
        raise InvalidArgument("Repr-Digest: expected sha-256=:BASE64:")
    return found.hex()


def repr_digest(hashed: str) -> str:
    """Return a ``Repr-Digest`` for a SHA-256 in hexadecimal."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(hashed)).decode()}:"


def tag(hashed: str, encoding: str = "") -> str:
    """Return the entity tag for a hash, and the encoding if the content is encoded."""
    return f'"{hashed}-{encoding}"' if encoding else f'"{hashed}"'


def names_hash(header: str, hashed: str | None, *, weak: bool) -> bool:
    """Whether a list of entity tags contains the hash, with any encoding; None: there is no file.

    ``*`` matches any existing file. Weak tags match only with ``weak``.
    """
    if header.strip() == "*":
        return hashed is not None
    return any(
        (weak or not match[1]) and _ENCODED.sub("", match[2]) == hashed
        for match in _TAG.finditer(header)
    )


def chosen_encoding(header: str, available: tuple[str, ...]) -> str:
    """Return the first of ``available`` that ``Accept-Encoding`` accepts; empty for none."""
    accepted: dict[str, float] = {}
    for item in header.split(","):
        match = _ACCEPTED.fullmatch(item)
        if match is not None:
            try:
                accepted[match[1].lower()] = float(match[2] or 1)
            except ValueError:
                continue
    return next((name for name in available if accepted.get(name, accepted.get("*", 0)) > 0), "")
