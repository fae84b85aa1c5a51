"""Text of a request and of what is told, as the bytes that a shell and the kernel take: UTF-8.

Not ``os.fsencode``: clients send characters whatever the locale of the daemon is. A byte that is
not UTF-8 is a lone surrogate in Python (PEP 383).
"""

from __future__ import annotations


def encoded(text: str) -> bytes:
    """Return the bytes of ``text``."""
    return text.encode("utf-8", "surrogateescape")


def decoded(data: bytes) -> str:
    """Return the text of ``data``."""
    return data.decode("utf-8", "surrogateescape")
