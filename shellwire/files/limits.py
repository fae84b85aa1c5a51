"""How much may be written, and whether the disk has room for it."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass

from shellwire.errors import FileSystemError, InvalidArgument
from shellwire.files.problems import os_problem, shown

MAX_UNFINISHED = 64
"""Unfinished uploads of one kind, those of all clients together: a client names itself, so that a
limit for each name bounds nothing. What ``--max-uploads`` permits to one is permitted anyhow."""

MAX_UNFINISHED_BYTES = 16 * 1024 * 1024 * 1024
"""Bytes that several unfinished uploads have together; one alone may have more."""


@dataclass(frozen=True, slots=True)
class FileLimits:
    """What writers are held to. Sizes in bytes, 0 for no limit."""

    max_file: int = 0
    """A file that is written."""
    max_upload: int = 0
    """All that one upload brings: a file, or an archive's files together."""
    max_uploads: int = 16
    """Uploads that one client may have open."""
    min_free: int = 0
    """What a write must leave free on the disk."""

    def check(self, path: bytes, size: int, uploaded: int) -> None:
        """Raise InvalidArgument if a file of ``size``, or ``uploaded`` in all, is too much."""
        if self.max_file and size > self.max_file:
            raise InvalidArgument(
                f"{shown(path)}: a file may have at most {self.max_file} bytes (--max-file)"
            )
        if self.max_upload and uploaded > self.max_upload:
            raise InvalidArgument(
                f"{shown(path)}: an upload may have at most {self.max_upload} bytes (--max-upload)"
            )

    def check_space(self, path: bytes, directory: int, size: int) -> None:
        """Raise FileSystemError (ENOSPC) unless ``size`` more bytes leave enough free.

        ``directory`` is a descriptor on that disk. Raises OSError.
        """
        found = os.fstatvfs(directory)
        # Some file systems (FUSE, those of /proc) don't count.
        left = found.f_bavail * found.f_frsize - size
        if found.f_blocks and left < self.min_free:
            problem = os_problem(path, errno.ENOSPC)
            if left < 0:
                raise problem
            ours = FileSystemError(f"{problem}: {self.min_free} bytes are kept free (--min-free)")
            ours.errno = problem.errno
            raise ours
