"""Atomic writes: new content replaces a file in one step, or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import threading
from typing import TYPE_CHECKING, Protocol

from shellwire.errors import Conflict, FileSystemError, IsDirectory, NotFile
from shellwire.files.entry import Entry, entry_at
from shellwire.files.problems import shown, translate_os_errors
from shellwire.files.read import opened
from shellwire.files.root import Place, Root

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.files.hashes import Hashes
    from shellwire.files.limits import FileLimits

TEMPORARY = b".shellwire-"
"""Prefix of the names of all temporary files; 16 hexadecimal digits follow."""

# Serialize check and replacement of a file in this process: two writers with the same precondition
# must not both succeed.
_LOCKS = tuple(threading.Lock() for _ in range(64))

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class TempFileJournal(Protocol):
    """A journal of temporary files, for cleanup after a crash."""

    def note(self, path: bytes) -> bytes | None:
        """Note that ``path`` is about to be made. Returns the argument for ``forget``."""
        ...

    def forget(self, note: bytes | None) -> None:
        """Remove the note: the file is gone."""
        ...


class Replacement:
    """New content for a file, until it is committed or discarded.

    The content is written to a temporary file beside the target. Methods may be called from any
    thread, one at a time, and raise the errors of ``translate_os_errors``.
    """

    def __init__(
        self,
        root: Root,
        path: bytes,
        tempfiles: TempFileJournal,
        limits: FileLimits,
        *,
        create_parents: bool = True,
        size: int = 0,
        staging: int | None = None,
        hashing: bool = True,
    ) -> None:
        """Create the temporary file. ``size`` is the least expected size, 0 if unknown.

        ``staging`` is the descriptor of another directory for the temporary file. Without
        ``hashing``, ``hash`` stays empty: hashing costs more than everything else.

        Raises IsDirectory or NotFile if the target can't be a file, and the errors of ``Root.at``.
        """
        self.size = 0
        self.replaced = False
        """After the commit: whether there was a file before."""
        self._digest = hashlib.sha256() if hashing else None
        self._limits = limits
        self._tempfiles = tempfiles
        limits.check(path, size, size)
        with root.at(path, create=create_parents) as place:
            found = _stat_replaceable(place)
            limits.check_space(path, place.directory, size)
            self.path = place.path
            self._directory = os.open(
                b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place.directory
            )
            self._name = place.name
            self._real = place.real
            self._temporary = TEMPORARY + secrets.token_hex(8).encode()
            holder = os.path.dirname(root.absolute(place.real))
            self._note = tempfiles.note(os.path.join(holder, self._temporary))
            try:
                # Until the old file's mode is applied, nobody else may read the content.
                mode = 0o666 if found is None else 0o600
                self._staging = self._directory if staging is None else staging
                self.descriptor = os.open(self._temporary, _NEW, mode, dir_fd=self._staging)
            except BaseException:
                tempfiles.forget(self._note)
                os.close(self._directory)
                raise
        self._closed = False

    @property
    def hash(self) -> str:
        """SHA-256 of the written bytes in hexadecimal; empty without ``hashing``."""
        return "" if self._digest is None else self._digest.hexdigest()

    def write(self, data: bytes | memoryview) -> None:
        """Append ``data``, or nothing if space is short."""
        end = self.size + len(data)
        self._limits.check(self.path, end, end)
        with translate_os_errors(self.path):
            self._limits.check_space(self.path, self._directory, len(data))
            try:
                write_all(self.descriptor, data, self.size)
            except OSError:
                os.ftruncate(self.descriptor, self.size)
                raise
        if self._digest is not None:
            self._digest.update(data)
        self.size = end

    def commit(
        self,
        precondition: Callable[[Callable[[], str | None]], bool] | None,
        hashes: Hashes,
        *,
        mode: int | None = None,
        mtime_ns: int | None = None,
        flush: bool = True,
    ) -> Entry:
        """Replace the target. Whether that succeeds or not, the temporary file is gone afterwards.

        ``precondition`` is called with a function that returns the hash of the existing file, None
        if there is none; if it returns false, Conflict is raised. Mode and owner of an existing
        file are kept, unless ``mode`` is given. With ``flush`` the file is on disk when this
        returns.
        """
        try:
            with translate_os_errors(self.path):
                if flush:
                    os.fsync(self.descriptor)
                place = Place(self._directory, self._name, self.path, self._real)
                with _lock(self._directory, self._name):
                    found = _stat_replaceable(place)
                    if precondition is not None and not precondition(
                        lambda: _hash_at(place, hashes)
                    ):
                        raise Conflict(f"{shown(self.path)}: it is not what was expected")
                    self._copy_owner_and_mode(found, mode)
                    self.replaced = found is not None
                    if mtime_ns is not None:
                        os.utime(self.descriptor, ns=(mtime_ns, mtime_ns))
                    os.rename(
                        self._temporary,
                        self._name,
                        src_dir_fd=self._staging,
                        dst_dir_fd=self._directory,
                    )
                self._temporary = b""
                if flush:
                    sync_directory(self._directory)
                return entry_at(place)
        finally:
            self.discard()

    def _copy_owner_and_mode(self, found: os.stat_result | None, mode: int | None) -> None:
        """Give the new file the owner and mode of the old one."""
        ours = os.fstat(self.descriptor)
        if found is None:
            if mode is not None:
                os.fchmod(self.descriptor, mode)
            return
        if (found.st_uid, found.st_gid) != (ours.st_uid, ours.st_gid):
            try:
                os.fchown(self.descriptor, found.st_uid, found.st_gid)
            except PermissionError:
                raise FileSystemError(
                    f"{shown(self.path)}: it belongs to another user; only root can keep that"
                ) from None
        # After the owner: chown(2) clears set-user-ID.
        os.fchmod(self.descriptor, stat.S_IMODE(found.st_mode) if mode is None else mode)

    def discard(self) -> None:
        """Delete the temporary file and leave the target unchanged. No effect after a commit."""
        if self._closed:
            return
        self._closed = True
        if self._temporary:
            with contextlib.suppress(OSError):
                os.unlink(self._temporary, dir_fd=self._staging)
        self._tempfiles.forget(self._note)
        os.close(self.descriptor)
        os.close(self._directory)


def hash_precondition(wanted: str | None) -> Callable[[Callable[[], str | None]], bool] | None:
    """Return a precondition: the file has the hash ``wanted``. None without ``wanted``."""
    if not wanted:
        return None
    return lambda found: found() == wanted.lower()


def check_expected(root: Root, path: bytes, wanted: str | None, hashes: Hashes) -> None:
    """Raise Conflict if the file at ``path`` lacks the hash ``wanted``; not without ``wanted``."""
    precondition = hash_precondition(wanted)
    if precondition is not None:
        with root.at(path) as place:
            if not precondition(lambda: _hash_at(place, hashes)):
                raise Conflict(f"{shown(path)}: it is not what was expected")


def _hash_at(place: Place, hashes: Hashes) -> str | None:
    try:
        with opened(place) as descriptor:
            return hashes.of(descriptor)
    except FileNotFoundError:
        return None


def _stat_replaceable(place: Place) -> os.stat_result | None:
    """Return stat data of the file, None if there is none. Raises IsDirectory, NotFile, OSError."""
    try:
        found = place.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsDirectory(f"{shown(place.path) or 'the root'}: is a directory")
    if not stat.S_ISREG(found.st_mode):
        raise NotFile(f"{shown(place.path)}: not a regular file")
    return found


def _lock(directory: int, name: bytes) -> threading.Lock:
    found = os.fstat(directory)
    return _LOCKS[hash((found.st_dev, found.st_ino, name)) % len(_LOCKS)]


def sync_directory(descriptor: int) -> None:
    """Flush renames in an open directory to disk, where the file system supports it."""
    with contextlib.suppress(OSError):  # some FUSE file systems do not
        os.fsync(descriptor)


def write_all(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of ``data`` at ``offset``. Raises OSError."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view = view[written:]
        offset += written
