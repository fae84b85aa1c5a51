"""Temporary files that are being written, for the next start to remove if this one is killed.

Each is a symlink in a directory of the home whose text is the file's absolute path: it is made in
one step, never torn, and costs no block on most disks. An archive that is unpacked has a directory
for its files, or comes to be as one.
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

# What may be removed: no other name, whatever a symlink here may say.
_NAME = re.compile(rb"\.shellwire-[0-9a-f]{16}")


class HomeTempfiles:
    """Notes temporary files in the home. What can't be noted is logged, once.

    May be used by several threads.
    """

    def __init__(self, home: Home) -> None:
        self._directory = os.fsencode(home.tempfiles_directory)
        self._failed = False

    def note(self, path: bytes) -> bytes | None:
        """Note a file that is about to be made. Returns what ``forget`` takes."""
        noted = os.path.join(self._directory, os.path.basename(path))
        try:
            # Only when there is something to note, and not if the home was removed under us.
            with contextlib.suppress(FileExistsError):
                os.mkdir(self._directory, mode=0o700)
            os.symlink(path, noted)
        except OSError as error:
            self._complain(error)
            return None
        return noted

    def forget(self, noted: bytes | None) -> None:
        """Take note that the file is no more."""
        if noted is None:
            return
        try:
            os.unlink(noted)
        except OSError as error:
            self._complain(error)

    def sweep(self, remove: Callable[[bytes], bool]) -> None:
        """Remove what a killed daemon has left.

        ``remove`` removes what is at a path, with all that is in it, and returns whether there was
        anything; it may raise OSError or a WireError.
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
        """Remove the directory, unless something is left in it."""
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
