"""Local files being downloaded: a hidden partial file that replaces its target when complete."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from shellwire.errors import Conflict, IsDirectory, NotFile

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from shellwire.client.files.download import FileMetadata

_LONGEST_NAME = 150
_UNFINISHED = re.compile(r"\.(.*)\.[0-9a-f]{16}\.part", re.DOTALL)
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


class PartialFile:
    """The partial file of the target ``path``; for a symlink, of the file that it names."""

    def __init__(self, path: str, metadata: FileMetadata) -> None:
        """Open the partial file, with the data of an earlier attempt at the same content.

        Raises OSError, IsDirectory and NotFile.
        """
        self.path = Path(os.path.realpath(path))
        with contextlib.suppress(FileNotFoundError):
            mode = self.path.stat().st_mode
            if stat.S_ISDIR(mode):
                raise IsDirectory(f"{path}: is a directory")
            if not stat.S_ISREG(mode):
                raise NotFile(f"{path}: not a regular file")
        # The name has the hash, so the data of another version is never resumed.
        self._partial = self._named(metadata.hash[:16])
        self._is_resumable = True
        try:
            self.file = self._open_locked()
        except OSError as error:
            error.filename = path  # the path that the user gave
            raise

    def _named(self, tag: str) -> Path:
        return self.path.with_name(f".{_shortened(self.path.name)}.{tag}.part")

    def _open_locked(self) -> BinaryIO:
        while True:
            file: BinaryIO = open(os.open(self._partial, _FLAGS, 0o600), "r+b")  # noqa: SIM115
            if not _lock(file.fileno()):
                # Another process downloads the same content to the same target.
                file.close()
                self._is_resumable = False
                self._partial = self._named(secrets.token_hex(8))
            elif _is_same_file(file.fileno(), self._partial):
                return file
            else:
                file.close()  # renamed or removed just before we locked it

    def keep(self) -> None:
        """Close the partial file and keep its data for another attempt."""
        if self._is_resumable and os.fstat(self.file.fileno()).st_size:
            self.file.close()
        else:
            self.discard()

    def discard(self) -> None:
        """Delete the partial file."""
        self._partial.unlink(missing_ok=True)
        self.file.close()

    def commit(
        self,
        metadata: FileMetadata,
        *,
        preserve: bool,
        only_executable: bool,
        unless: Callable[[], bool] | None,
    ) -> None:
        """Replace the target by it. Raises OSError, and Conflict if ``unless`` returns true."""
        self.file.flush()
        os.fsync(self.file.fileno())
        if sys.platform == "win32":
            self.file.close()  # Windows can't rename an open file
        if only_executable:
            executable = bool(metadata.mode & stat.S_IXUSR)
            os.chmod(self._partial, self._target_mode(executable=executable))
        else:
            os.chmod(self._partial, self._mode(metadata, preserve=preserve))
        if preserve:
            os.utime(self._partial, ns=(metadata.mtime_ns, metadata.mtime_ns))
        if unless is not None and unless():
            raise Conflict(f"{self.path}: it is not what was expected")
        os.replace(self._partial, self.path)
        self.file.close()

    def _mode(self, metadata: FileMetadata, *, preserve: bool) -> int:
        if preserve:
            return metadata.mode & 0o777  # never set-user-ID from another machine
        try:
            return stat.S_IMODE(self.path.stat().st_mode)
        except FileNotFoundError:
            return metadata.mode & 0o777 & ~umask()

    def _target_mode(self, *, executable: bool) -> int:
        """Return the mode of the target, or of a new file, with or without execute permission."""
        try:
            mode = self.path.stat().st_mode & 0o777  # never set-user-ID from another machine
        except FileNotFoundError:
            mode = 0o666 & ~umask()
        if bool(mode & stat.S_IXUSR) == executable:
            return mode
        # As chmod +x under a umask: execute permission goes to all who have read permission.
        return mode | stat.S_IXUSR | (mode & 0o444) >> 2 if executable else mode & ~0o111


def remove_partials(directory: str, names: Collection[str]) -> None:
    """Remove the partial files of these targets, unless a process is downloading to them.

    Raises OSError.
    """
    targets = {_shortened(name) for name in names}
    for name in os.listdir(directory):
        match = _UNFINISHED.fullmatch(name)
        if match is not None and match[1] in targets:
            remove_partial(os.path.join(directory, name))


def remove_partial(path: str) -> None:
    """Remove a partial file, unless a process is downloading to it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, _FLAGS & ~os.O_CREAT | getattr(os, "O_NONBLOCK", 0))
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode) and _lock(descriptor):
                os.unlink(path)
        finally:
            os.close(descriptor)


def _shortened(name: str) -> str:
    return os.fsencode(name)[:_LONGEST_NAME].decode(errors="ignore")


def _lock(descriptor: int) -> bool:
    """Lock the file until it is closed; return whether no other process holds the lock."""
    if sys.platform != "win32":  # Windows has no flock(2)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno != errno.EWOULDBLOCK  # a file system without locks
    return True


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def umask() -> int:
    """Return the process's umask."""
    found = os.umask(0o077)
    os.umask(found)
    return found
