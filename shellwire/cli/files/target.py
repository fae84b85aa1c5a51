"""Which end a word of a command line means: here, or at a daemon."""

from __future__ import annotations

import sys
from typing import NamedTuple


class Where(NamedTuple):
    """What a user has written: a path, there if ``host`` is not None (empty: the default one)."""

    host: str | None
    path: str


def parsed(word: str) -> Where:
    """Tell ``NAME:path`` from a path here, as scp(1) does: by a colon before any slash."""
    name, colon, path = word.partition(":")
    drive = sys.platform == "win32" and len(name) == 1
    if not colon or "/" in name or drive:
        return Where(None, word)
    return Where(name, path or "~")
