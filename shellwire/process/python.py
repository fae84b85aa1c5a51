"""A bare interpreter for a module of ours."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import shellwire


def python(module: str) -> list[bytes]:
    """Return what runs ``main`` of ``module``: with our packages and nothing of its site's."""
    package = str(Path(shellwire.__file__).parents[1])
    paths = [package, *(path for path in sys.path if path)]
    program = f"import sys; sys.path[:] = {paths!r}; from {module} import main; main()"
    words = [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-W", "ignore", "-c", program]
    return [os.fsencode(word) for word in words]


def environment() -> dict[bytes, bytes]:
    """Return what it needs to know."""
    known = {b"LC_ALL": b"C.UTF-8"}
    if "HOME" in os.environ:
        known[b"HOME"] = os.fsencode(os.environ["HOME"])
    return known
