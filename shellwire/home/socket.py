"""A path of the Unix socket that is short enough for the kernel, however long the home's is."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from typing import TYPE_CHECKING

from shellwire.errors import HomeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shellwire.home.paths import Home

_MAX_PATH_BYTES = 107 if sys.platform.startswith(("linux", "android")) else 103
"""Bytes of ``sun_path`` before its NUL: unix(7) on Linux, sys/un.h on BSD and macOS."""


@contextlib.contextmanager
def socket_address(home: Home) -> Iterator[str]:
    """Yield a path of ``home.socket_file`` that bind(2) and connect(2) accept.

    The path is valid while the block runs: bind or connect in it. Raises HomeError if the home
    can't be opened.
    """
    plain = str(home.socket_file)
    if len(os.fsencode(plain)) <= _MAX_PATH_BYTES:
        yield plain
        return
    shorter = _by_descriptor if os.path.isdir("/proc/self/fd") else _by_symlink
    with shorter(home) as directory:
        yield f"{directory}/{home.socket_file.name}"


@contextlib.contextmanager
def _by_descriptor(home: Home) -> Iterator[str]:
    """Yield the /proc path (proc(5)) of a descriptor of the directory."""
    try:
        descriptor = os.open(home.root, os.O_RDONLY)
    except OSError as error:
        raise HomeError(f"can't open {home.root}: {error.strerror}") from error
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _by_symlink(home: Home) -> Iterator[str]:
    """Yield a symlink to the directory, in a temporary directory that only we can enter."""
    with contextlib.ExitStack() as stack:
        try:
            # Not $TMPDIR, which is a long path itself on macOS.
            where = "/tmp" if os.path.isdir("/tmp") else None
            short = stack.enter_context(tempfile.TemporaryDirectory(prefix="sw-", dir=where))
            link = os.path.join(short, "h")
            os.symlink(home.root, link)
        except OSError as error:
            raise HomeError(f"can't make a short path to {home.root}: {error.strerror}") from error
        yield link
