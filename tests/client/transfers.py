"""Content for tests of file transfers."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


LARGE = 3_000_000


def sha256(data: bytes) -> str:
    """Return the SHA-256 as the client returns it."""
    return hashlib.sha256(data).hexdigest()


def random_bytes(size: int, seed: int = 1) -> bytes:
    """Return incompressible bytes."""
    return random.Random(seed).randbytes(size)


def names(directory: Path) -> list[str]:
    """Return the names in a directory."""
    return sorted(each.name for each in directory.iterdir())
