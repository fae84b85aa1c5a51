"""Pack and unpack tar archives. This runs in a process of its own: Python is slow per file.

Unpacking writes through the confined root like every other write. A member's name is treated as a
path below the root; tarfile's own extraction is not used.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tarfile
from typing import TYPE_CHECKING, Any, BinaryIO

from shellwire.errors import InvalidArgument, PathEscape, WireError
from shellwire.files.change import make_directory
from shellwire.files.compression import ARCHIVES, CompressingWriter, DecompressedReader
from shellwire.files.problems import shown, translate_os_errors
from shellwire.files.read import opened
from shellwire.files.walk import walk_tree
from shellwire.files.write import Replacement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shellwire.files.compression import Archive
    from shellwire.files.hashes import Hashes
    from shellwire.files.limits import FileLimits
    from shellwire.files.root import Root

_PIECE = 256 * 1024


def pack(root: Root, out: BinaryIO, kind: Archive) -> None:
    """Write everything below ``root``: files, directories, and symlinks as symlinks.

    Left out: files that can't be read or have vanished, and other file types. Raises
    FileSystemError if the root itself can't be read, OSError if reading a file fails midway.
    """
    compressed: Any = CompressingWriter(out, ARCHIVES[kind])
    with (
        root.at(b"") as place,
        tarfile.open(fileobj=compressed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for found in walk_tree(place, include_hidden=True):
            info = tarfile.TarInfo(_text(found.path))
            info.mode = stat.S_IMODE(found.stat.st_mode)
            info.mtime = found.stat.st_mtime_ns / 1e9
            info.uid, info.gid = found.stat.st_uid, found.stat.st_gid
            if stat.S_ISDIR(found.stat.st_mode):
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            elif stat.S_ISLNK(found.stat.st_mode):
                info.type = tarfile.SYMTYPE
                try:
                    info.linkname = _text(os.readlink(found.name, dir_fd=found.directory))
                except OSError:
                    continue
                tar.addfile(info)
            elif stat.S_ISREG(found.stat.st_mode):
                with contextlib.ExitStack() as stack:
                    try:
                        descriptor = stack.enter_context(opened(found.place))
                        info.size = os.fstat(descriptor).st_size
                        content: Any = _FixedLength(descriptor)
                    except (OSError, WireError):
                        continue
                    # From here on an error fails the whole archive: later members would be
                    # misaligned.
                    tar.addfile(info, content)
            tar.members.clear()  # type: ignore[attr-defined]  # else it keeps every member
    compressed.finish()


class _FixedLength:
    """A file object of exactly the announced size: if the file shrinks, NULs fill the rest.

    Opening it raises OSError for a file that can be opened but not read.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._data = os.read(descriptor, _PIECE)

    def read(self, size: int) -> bytes:
        data, self._data = self._data[:size], self._data[size:]
        while len(data) < size and (more := os.read(self._descriptor, size - len(data))):
            data += more
        return data.ljust(size, b"\0")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


class UnpackStats:
    """The number of files and bytes unpacked."""

    def __init__(self) -> None:
        self.files = 0
        self.bytes = 0


def unpack(
    root: Root, source: BinaryIO, kind: Archive, staging: bytes, limits: FileLimits, hashes: Hashes
) -> UnpackStats:
    """Unpack an archive below ``root``; each file atomically, replacing existing ones.

    ``staging`` is the name of a directory in the root for files being written; it is created and
    removed. Modes and times come from the archive, owners do not. Raises InvalidArgument if the
    data is not an archive or has device members, PathEscape for a name or symlink that leads out of
    the root, and the errors of ``Replacement``. Members unpacked before an error remain.
    """
    unpacking = _Unpacker(root, staging, limits, hashes)
    decompressed: Any = DecompressedReader(source, ARCHIVES[kind])
    try:
        with _translate_header_errors():
            tar = tarfile.open(  # noqa: SIM115 - nothing to close
                fileobj=decompressed, mode="r|", errors="surrogateescape", encoding="utf-8"
            )
        while (info := _next(tar)) is not None:
            unpacking.add(tar, info)
            tar.members.clear()  # type: ignore[attr-defined]  # else it keeps every member
    except (tarfile.TarError, ValueError, OverflowError) as error:  # tarfile wraps only some
        raise InvalidArgument(f"the content is not a tar archive: {error}") from None
    finally:
        unpacking.close()
    unpacking.apply_directory_attributes()
    return unpacking.stats


# All that tarfile raises for malformed headers: it recurses for each header that extends the next
# one, and does not validate the numbers, lists and encodings in them.
_BAD_HEADERS = (
    tarfile.TarError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)


@contextlib.contextmanager
def _translate_header_errors() -> Iterator[None]:
    try:
        yield
    except RecursionError:
        raise InvalidArgument("the archive's headers are nested too deep") from None
    except _BAD_HEADERS as error:
        raise InvalidArgument(f"the content is not a tar archive: {error}") from None


def _next(tar: tarfile.TarFile) -> tarfile.TarInfo | None:
    with _translate_header_errors():
        return tar.next()


class _NoJournal:
    """Journals nothing: the staging directory is journaled as a whole."""

    def note(self, _path: bytes) -> bytes | None:
        return None

    def forget(self, _noted: bytes | None) -> None:
        return None


class _Unpacker:
    def __init__(self, root: Root, staging: bytes, limits: FileLimits, hashes: Hashes) -> None:
        self._root = root
        self._name = staging
        self._limits = limits
        self._hashes = hashes
        self._directories: list[tuple[bytes, int, int]] = []
        self.stats = UnpackStats()
        make_directory(root, staging)
        with root.at(staging, follow=False) as place:
            self._staging = place.open_directory()

    def add(self, tar: tarfile.TarFile, info: tarfile.TarInfo) -> None:
        """Unpack one member."""
        path = _bytes(info.name)
        if info.size < 0:
            raise InvalidArgument(f"{shown(path)}: the member's size is negative")
        if info.isdir():
            made = make_directory(self._root, path)
            self._directories.append((made.path, info.mode & 0o1777, _nanoseconds(info)))
        elif info.isreg():
            self._file(tar, info, path)
        elif info.issym():
            self._symlink(path, _bytes(info.linkname))
        elif info.islnk():
            self._link(path, _bytes(info.linkname))
        else:
            raise InvalidArgument(f"{shown(path)}: neither file, directory nor symlink")

    def _file(self, tar: tarfile.TarFile, info: tarfile.TarInfo, path: bytes) -> None:
        self._limits.check(path, info.size, self.stats.bytes + info.size)
        replacement = Replacement(
            self._root, path, _NoJournal(), self._limits, size=info.size, staging=self._staging
        )
        try:
            content = tar.extractfile(info)
            assert content is not None, "it is a regular file"
            while data := content.read(_PIECE):
                replacement.write(data)
        except BaseException:
            replacement.discard()
            raise
        replacement.commit(
            None,
            self._hashes,
            mode=info.mode & 0o777,
            mtime_ns=_nanoseconds(info),
            flush=False,
        )
        self.stats.files += 1
        self.stats.bytes += info.size

    def _symlink(self, path: bytes, target: bytes) -> None:
        with self._root.at(path, follow=False, create=True) as place:
            inside = os.path.normpath(os.path.join(os.path.dirname(place.real), target))
            if (
                inside.startswith((b"/", b"../"))
                or inside == b".."
                or _has_dotdot_after_name(target)
            ):
                raise PathEscape(
                    f"{shown(path)}: a symlink to {shown(target)} leads out of the root"
                )
            temporary = os.path.basename(path)[:200] + b".link"
            os.symlink(target, temporary, dir_fd=self._staging)
            os.rename(temporary, place.name, src_dir_fd=self._staging, dst_dir_fd=place.directory)

    def _link(self, path: bytes, target: bytes) -> None:
        """Make a hard link to a member unpacked before."""
        with (
            self._root.at(target, follow=False) as old,
            self._root.at(path, follow=False, create=True) as new,
        ):
            with opened(old):
                pass
            temporary = os.path.basename(path)[:200] + b".link"
            os.link(
                old.name,
                temporary,
                src_dir_fd=old.directory,
                dst_dir_fd=self._staging,
                follow_symlinks=False,
            )
            os.rename(temporary, new.name, src_dir_fd=self._staging, dst_dir_fd=new.directory)

    def close(self) -> None:
        """Remove the staging directory."""
        with translate_os_errors(self._name):
            for name in os.listdir(self._staging):
                os.unlink(name, dir_fd=self._staging)
            os.close(self._staging)
            os.rmdir(self._name, dir_fd=self._root.descriptor)

    def apply_directory_attributes(self) -> None:
        """Set the directories' times, which writing into them has changed, and their modes.

        Done last: after an error, a read-only directory could not be cleaned up.
        """
        for path, mode, mtime_ns in reversed(self._directories):
            with self._root.at(path) as place:
                descriptor = place.open_directory()
                try:
                    os.fchmod(descriptor, mode)
                    os.utime(descriptor, ns=(mtime_ns, mtime_ns))
                finally:
                    os.close(descriptor)


def _has_dotdot_after_name(target: bytes) -> bool:
    """Whether ``..`` follows a name: the name may be a symlink, now or later."""
    parts = [part for part in target.split(b"/") if part not in (b"", b".")]
    while parts and parts[0] == b"..":
        del parts[0]
    return b".." in parts


def _nanoseconds(info: tarfile.TarInfo) -> int:
    return max(-(2**62), min(int(info.mtime * 1_000_000_000), 2**62))
