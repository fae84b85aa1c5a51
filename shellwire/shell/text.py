"""Convert text of messages to the bytes that a shell and the kernel use, and back: UTF-8.

``os.fsencode`` won't do: it depends on the daemon's locale, and clients do not. In Python a byte
that is not UTF-8 is a lone surrogate (PEP 383).
"""

from __future__ import annotations


def encoded(text: str) -> bytes:
    """Return ``text`` as bytes."""
    return text.encode("utf-8", "surrogateescape")


def decoded(data: bytes) -> str:
    """Return ``data`` as text."""
    return data.decode("utf-8", "surrogateescape")
