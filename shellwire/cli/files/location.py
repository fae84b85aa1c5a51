"""Parse a path of the command line: on this machine, or on a host."""

from __future__ import annotations

import sys
from typing import NamedTuple


class Location(NamedTuple):
    """A path, on this machine if ``host`` is None; the host "" is the default daemon."""

    host: str | None
    path: str


def parse_location(text: str) -> Location:
    """Parse ``NAME:path`` as scp(1) does: a colon before any slash names a host."""
    name, colon, path = text.partition(":")
    is_drive = sys.platform == "win32" and len(name) == 1
    if not colon or "/" in name or is_drive:
        return Location(None, text)
    return Location(name, path or "~")
