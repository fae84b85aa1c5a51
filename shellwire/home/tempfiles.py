"""Record temporary files that are being written, so that the next start removes them after a crash.

Each record is a symlink, in a directory of the home, to the file's absolute path: symlink(2) is
atomic, and takes no block on most disks. An archive is unpacked into one temporary directory,
which is recorded likewise.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from typing import TYPE_CHECKING

from shellwire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.home.paths import Home

log = logging.getLogger(__name__)

# Only such names are removed, whatever target a symlink has.
_NAME = re.compile(rb"\.shellwire-[0-9a-f]{16}")


class HomeTempfiles:
    """The records of temporary files in the home; a failure is logged once. Thread-safe."""

    def __init__(self, home: Home) -> None:
        self._directory = os.fsencode(home.tempfiles_directory)
        self._failed = False

    def note(self, path: bytes) -> bytes | None:
        """Record a file that is about to be created. Returns the argument for ``forget``."""
        noted = os.path.join(self._directory, os.path.basename(path))
        try:
            # Made only when needed; it fails if the home was removed under us.
            with contextlib.suppress(FileExistsError):
                os.mkdir(self._directory, mode=0o700)
            os.symlink(path, noted)
        except OSError as error:
            self._complain(error)
            return None
        return noted

    def forget(self, noted: bytes | None) -> None:
        """Delete the record of a file that no longer exists."""
        if noted is None:
            return
        try:
            os.unlink(noted)
        except OSError as error:
            self._complain(error)

    def sweep(self, remove: Callable[[bytes], bool]) -> None:
        """Remove the temporary files that a crashed daemon left.

        ``remove`` removes a file or a directory tree, and returns whether the path existed; it may
        raise OSError or a WireError.
        """
        try:
            names = os.listdir(self._directory)
        except FileNotFoundError:
            return
        except OSError as error:
            self._complain(error)
            return
        noted = [os.path.join(self._directory, name) for name in names]
        removed = sum(self._remove(each, remove) for each in noted)
        if removed:
            log.warning("removed %d unfinished files that the last daemon left", removed)

    def close(self) -> None:
        """Remove the directory of records if it is empty."""
        with contextlib.suppress(OSError):
            os.rmdir(self._directory)

    def _remove(self, noted: bytes, remove: Callable[[bytes], bool]) -> bool:
        try:
            path = os.readlink(noted)
            is_ours = os.path.isabs(path) and _NAME.fullmatch(os.path.basename(path)) is not None
            found = is_ours and remove(path)
            os.unlink(noted)
        except (OSError, WireError) as error:
            self._complain(error)
            return False
        return found

    def _complain(self, error: OSError | WireError) -> None:
        if not self._failed:
            self._failed = True
            log.error(
                "%s: %s; after a crash unfinished files may be left",
                os.fsdecode(self._directory),
                getattr(error, "strerror", error),
            )
