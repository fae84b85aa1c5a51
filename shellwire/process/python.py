"""Command line and environment of a bare Python interpreter that runs one of our modules."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import shellwire


def python(module: str) -> list[bytes]:
    """Return the argv that runs ``main`` of ``module``, with our sys.path and without site."""
    package = str(Path(shellwire.__file__).parents[1])
    paths = [package, *(path for path in sys.path if path)]
    program = f"import sys; sys.path[:] = {paths!r}; from {module} import main; main()"
    words = [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-W", "ignore", "-c", program]
    return [os.fsencode(word) for word in words]


def environment() -> dict[bytes, bytes]:
    """Return the interpreter's environment: a UTF-8 locale and HOME."""
    known = {b"LC_ALL": b"C.UTF-8"}
    if "HOME" in os.environ:
        known[b"HOME"] = os.fsencode(os.environ["HOME"])
    return known
