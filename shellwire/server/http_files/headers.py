"""Headers of HTTP that are about contents (RFC 9110, RFC 9530); pure."""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from shellwire.errors import InvalidArgument

WANT_HASH = "Want-Repr-Digest"
"""Asks for a hash, whatever it costs (RFC 9530, 4)."""

# Names of units are case-insensitive (RFC 9110, 14.1).
_RANGE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)", re.ASCII | re.IGNORECASE)
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)", re.ASCII)
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/=]+):")
_TAG = re.compile(r'(W/)?"([^"]*)"')
_ACCEPTED = re.compile(r"\s*([\w*-]+)\s*(?:;\s*q\s*=\s*([0-9.]+)\s*)?")
# What stands behind the hash in the entity tag of an encoded content, which is another one then.
_ENCODED = re.compile(r"-(?:gzip|zstd)$")


class Span(NamedTuple):
    """A part of a content: bytes from ``first`` up to, not including, ``end``."""

    first: int
    end: int


class Unsatisfiable(Exception):
    """The range lies beyond the content."""


def wanted_range(header: str | None, size: int) -> Span | None:
    """Return the part that a ``Range`` asks for; None for all of it.

    So do several ranges at once, and what is no range: a server may ignore it (RFC 9110, 14.2).
    Raises Unsatisfiable.
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
    """What part of a file a request brings; ``span`` is None if it only asks how far that is."""

    span: Span | None
    total: int


def content_range(header: str | None) -> ContentRange | None:
    """Return what a ``Content-Range`` says. Raises InvalidArgument."""
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
    """Return the SHA-256 of a ``Repr-Digest`` in hexadecimal; empty if it has none.

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
    """Return the entity tag of a content, which may be encoded."""
    return f'"{hashed}-{encoding}"' if encoding else f'"{hashed}"'


def names_hash(header: str, hashed: str | None, *, weak: bool) -> bool:
    """Whether a list of entity tags names this content, in any encoding; None is no content.

    ``*`` names any that there is. Without ``weak`` tags that are weak name nothing.
    """
    if header.strip() == "*":
        return hashed is not None
    return any(
        (weak or not match[1]) and _ENCODED.sub("", match[2]) == hashed
        for match in _TAG.finditer(header)
    )


def chosen_encoding(header: str, available: tuple[str, ...]) -> str:
    """Return the first of ``available`` that ``Accept-Encoding`` lets pass; empty for none."""
    accepted: dict[str, float] = {}
    for item in header.split(","):
        match = _ACCEPTED.fullmatch(item)
        if match is not None:
            try:
                accepted[match[1].lower()] = float(match[2] or 1)
            except ValueError:
                continue
    return next((name for name in available if accepted.get(name, accepted.get("*", 0)) > 0), "")
