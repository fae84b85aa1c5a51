"""A file here that a download makes: beside its name until it is whole, then in its place."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from shellwire.errors import Conflict, IsDirectory, NotFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.client.files.download import About

_LONGEST_NAME = 150


class Arrival:
    """The file that is to be at ``path``; a symlink there is kept, and what it names replaced."""

    def __init__(self, path: str, about: About) -> None:
        """Open it, with what an earlier attempt at the same content has left.

        Raises OSError, IsDirectory and NotFile.
        """
        self.path = Path(os.path.realpath(path))
        with contextlib.suppress(FileNotFoundError):
            mode = self.path.stat().st_mode
            if stat.S_ISDIR(mode):
                raise IsDirectory(f"{path}: is a directory")
            if not stat.S_ISREG(mode):
                raise NotFile(f"{path}: not a regular file")
        # The hash in its name: what is left of another content is never gone on with.
        name = os.fsencode(self.path.name)[:_LONGEST_NAME].decode(errors="ignore")
        self._partial = self.path.with_name(f".{name}.{about.hash[:16]}.part")
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        try:
            self.file: BinaryIO = open(os.open(self._partial, flags, 0o600), "r+b")  # noqa: SIM115
        except OSError as error:
            error.filename = path  # that is what its user knows
            raise

    def keep(self) -> None:
        """Leave what has come for another attempt."""
        self.file.close()

    def discard(self) -> None:
        """Leave nothing."""
        self.file.close()
        self._partial.unlink(missing_ok=True)

    def finish(self, about: About, *, preserve: bool, unless: Callable[[], bool] | None) -> None:
        """Put it in its place. Raises OSError, and Conflict if ``unless`` is so by then."""
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
        finally:
            self.file.close()
        os.chmod(self._partial, self._mode(about, preserve=preserve))
        if preserve:
            os.utime(self._partial, ns=(about.mtime_ns, about.mtime_ns))
        if unless is not None and unless():
            raise Conflict(f"{self.path}: it is not what was expected")
        os.replace(self._partial, self.path)

    def _mode(self, about: About, *, preserve: bool) -> int:
        if preserve:
            return about.mode & 0o7777
        try:
            return stat.S_IMODE(self.path.stat().st_mode)
        except FileNotFoundError:
            return about.mode & 0o777 & ~umask()


def umask() -> int:
    """Return what new files of this process are denied."""
    found = os.umask(0o077)
    os.umask(found)
    return found
