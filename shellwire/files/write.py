"""Writing: a new content takes a file's place in one step, or leaves it as it is."""

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
"""What the name of every temporary file begins with; 16 hexadecimal digits follow."""

# Two that believe the same of one file must not both be right: from the look at it until it is
# replaced, nobody else of this process may be in between.
_LOCKS = tuple(threading.Lock() for _ in range(64))

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class TempFileJournal(Protocol):
    """Notes temporary files, for whoever comes after a process that was killed."""

    def note(self, path: bytes) -> bytes | None:
        """Note that ``path`` is about to be made. Returns what ``forget`` takes."""
        ...

    def forget(self, noted: bytes | None) -> None:
        """Take note that it is no more."""
        ...


class Replacement:
    """A new content for the file at a path, until it is committed or discarded.

    It is kept in a temporary file beside the one that it is to replace. Its methods may be called
    from any thread, one at a time. They raise what ``told_of`` does.
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
        """Begin. ``size`` is how much will be written at least, as far as that is known.

        ``workshop`` is the descriptor of another directory for the temporary file. Without
        ``hashing`` there is no ``hash``: it costs more than all the rest.

        Raises IsDirectory or NotFile if no file can be there, and what ``Root.at`` raises.
        """
        self.size = 0
        self.replaced = False
        """Whether there was a file, once this is in its place."""
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
            self._noted = tempfiles.note(os.path.join(holder, self._temporary))
            try:
                # What others may not read, they may not read while it is being written either.
                mode = 0o666 if found is None else 0o600
                self._staging = self._directory if staging is None else staging
                self.descriptor = os.open(self._temporary, _NEW, mode, dir_fd=self._staging)
            except BaseException:
                tempfiles.forget(self._noted)
                os.close(self._directory)
                raise
        self._closed = False

    @property
    def hash(self) -> str:
        """SHA-256 of what was written, in hexadecimal; empty without ``hashing``."""
        return "" if self._digest is None else self._digest.hexdigest()

    def write(self, data: bytes | memoryview) -> None:
        """Append ``data``, or nothing of it if there is not enough room."""
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
        """Take the file's place; ends this in any case.

        ``believed`` is asked whether what is there is what its writer believes; it is given a
        function that returns the hash of it, None if nothing is there. Mode and owner of the file
        that was there are kept, unless ``mode`` is given. Unless ``flush`` is false it is on disk
        when this returns. Raises Conflict if it says no.
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
        """Give the new file the owner and the mode of the old one."""
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
                    f"{shown(self.path)}: it belongs to others, and only root could keep it so"
                ) from None
        # After the owner: a change of that takes set-user-ID away (chown(2)).
        os.fchmod(self.descriptor, stat.S_IMODE(found.st_mode) if mode is None else mode)

    def discard(self) -> None:
        """Leave what is there as it is, and nothing of this. Once committed, of no effect."""
        if self._closed:
            return
        self._closed = True
        if self._temporary:
            with contextlib.suppress(OSError):
                os.unlink(self._temporary, dir_fd=self._staging)
        self._tempfiles.forget(self._noted)
        os.close(self.descriptor)
        os.close(self._directory)


def hash_precondition(wanted: str | None) -> Callable[[Callable[[], str | None]], bool] | None:
    """Return what asks for a file with the hash ``wanted``; None, for no question, if that is."""
    if not wanted:
        return None
    return lambda found: found() == wanted.lower()


def check_expected(root: Root, path: bytes, wanted: str | None, hashes: Hashes) -> None:
    """Raise Conflict unless the file at ``path`` has the hash ``wanted``, if one is given."""
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
    """Return what is there, None if nothing is. Raises IsDirectory, NotFile or OSError."""
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
    """Have what was renamed in an open directory on disk, where its file system can do that."""
    with contextlib.suppress(OSError):  # FUSE may not
        os.fsync(descriptor)


def write_all(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of ``data`` at ``offset``. Raises OSError."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view = view[written:]
        offset += written
