"""Limits on file sizes, uploads and free disk space."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass

from shellwire.errors import FileSystemError, InvalidArgument
from shellwire.files.problems import os_problem, shown

MAX_UNFINISHED = 64
"""Unfinished uploads of one kind, of all clients together. Clients choose their own names, so a
limit for each client bounds nothing. A higher ``--max-uploads`` raises it."""

MAX_UNFINISHED_BYTES = 16 * 1024 * 1024 * 1024
"""Total bytes of several unfinished uploads; a single one may be larger."""


@dataclass(frozen=True, slots=True)
class FileLimits:
    """Limits on writing, in bytes; 0: no limit."""

    max_file: int = 0
    """Size of one written file."""
    max_upload: int = 0
    """Total size of one upload: a file, or all files of an archive."""
    max_uploads: int = 16
    """Open uploads of one client."""
    principal_uploads: int = 4
    """Open uploads of one principal other than the owner."""
    min_free: int = 0
    """Disk space that a write must leave free."""

    def check(self, path: bytes, size: int, uploaded: int) -> None:
        """Raise InvalidArgument if a file's ``size``, or ``uploaded`` in all, exceeds its limit."""
        if self.max_file and size > self.max_file:
            raise InvalidArgument(
                f"{shown(path)}: a file may have at most {self.max_file} bytes (--max-file)"
            )
        if self.max_upload and uploaded > self.max_upload:
            raise InvalidArgument(
                f"{shown(path)}: an upload may have at most {self.max_upload} bytes (--max-upload)"
            )

    def check_space(self, path: bytes, directory: int, size: int) -> None:
        """Raise FileSystemError (ENOSPC) unless ``min_free`` remains after ``size`` more bytes.

        ``directory`` is a descriptor on that disk. Raises OSError.
        """
        found = os.fstatvfs(directory)
        # Some file systems (FUSE, /proc) report no block counts.
        left = found.f_bavail * found.f_frsize - size
        if found.f_blocks and left < self.min_free:
            problem = os_problem(path, errno.ENOSPC)
            if left < 0:
                raise problem
            ours = FileSystemError(f"{problem}: {self.min_free} bytes are kept free (--min-free)")
            ours.errno = problem.errno
            raise ours
