"""Confinement to a directory: every path is resolved below it, one descriptor at a time.

Each part of a path is opened relative to its parent's descriptor, with O_NOFOLLOW. So a directory
that is replaced by a symlink meanwhile can't lead elsewhere. The kernel follows no symlink for us:
we read its target and resolve that by the same rules, relative to the symlink's directory, or to
the root if the target names it. Symlinks that stay within the root work; one that leads out is
refused. This works on every POSIX system, unlike Linux's openat2(2) with RESOLVE_BENEATH.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.errors import InvalidArgument, NotDirectory, PathEscape
from shellwire.files.problems import os_problem, shown, translate_os_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PATH = 4095
"""Longest root, and longest path below it, in bytes (PATH_MAX without its NUL)."""

# The kernel's own limit (path_resolution(7)).
_MAX_LINKS = 40

# O_PATH needs only search permission on a directory, not read permission.
_PASS = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY | os.O_NONBLOCK)
_READ = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class Place:
    """A resolved path: a name in an open directory. The name need not exist."""

    directory: int
    """Descriptor of the directory that holds the name."""
    name: bytes
    """The name in that directory; ``.`` for the root itself."""
    path: bytes
    """The path as given, relative to the root; empty for the root."""
    real: bytes
    """The same path with symlinks resolved."""

    def stat(self) -> os.stat_result:
        """Return lstat(2) of it. Raises OSError."""
        return os.stat(self.name, dir_fd=self.directory, follow_symlinks=False)

    def open_directory(self) -> int:
        """Open it as a directory, for listing; return the descriptor. Raises OSError."""
        return os.open(self.name, _READ, dir_fd=self.directory)


class Root:
    """An open root directory. Use it in a ``with`` block: it holds a descriptor."""

    def __init__(self, path: bytes) -> None:
        """Open the root. Raises InvalidArgument, NotFound, NotDirectory or FileSystemError."""
        expanded = os.path.expanduser(path) if path.startswith(b"~") else path
        if not expanded.startswith(b"/") or len(expanded) > MAX_PATH:
            raise InvalidArgument(f"root: expected an absolute path, got {shown(path)}")
        with translate_os_errors(path):
            self.real = os.path.realpath(expanded)
            self.descriptor = os.open(self.real, _PASS)
        self._names = {os.path.normpath(b"/" + expanded.lstrip(b"/")), self.real}

    def __enter__(self) -> Root:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def absolute(self, path: bytes) -> bytes:
        """Return the absolute form of a path below the root."""
        return os.path.join(self.real, path) if path else self.real

    @contextlib.contextmanager
    def at(self, path: bytes, *, follow: bool = True, create: bool = False) -> Iterator[Place]:
        """Resolve ``path``, whose last part need not exist, for the block.

        A symlink in the last part is followed unless ``follow`` is false. With ``create`` missing
        directories on the way are made. An OSError in the block is raised as a wire error. Raises
        PathEscape and the errors of ``translate_os_errors``.
        """
        parts = _parts(path)
        walk = _Walk(self, path, create=create)
        try:
            with translate_os_errors(path):
                name = walk.walk_to_parent(parts, follow=follow)
                real = b"/".join([*walk.names, name] if name != b"." else walk.names)
                yield Place(walk.directory, name, b"/".join(parts), real)
        finally:
            walk.close()

    def within(self, target: bytes) -> bytes | None:
        """Return an absolute symlink target relative to the root; None if it is outside."""
        for name in self._names:
            if name == b"/":
                return target
            if target == name or target.startswith(name + b"/"):
                return target[len(name) :]
        return None


def _parts(path: bytes) -> list[bytes]:
    if b"\0" in path:
        raise InvalidArgument(f"path: expected no NUL, got {shown(path)}")
    if len(path) > MAX_PATH:
        raise InvalidArgument(f"path: expected at most {MAX_PATH} bytes, got {len(path)}")
    if path.startswith(b"/"):
        raise PathEscape(f"{shown(path)}: expected a path below the root, got an absolute one")
    parts = [part for part in path.split(b"/") if part not in (b"", b".")]
    if b".." in parts:
        raise PathEscape(f"{shown(path)}: a path must not hold ..")
    return parts


class _Walk:
    """One path resolution, with a descriptor for each directory entered below the root."""

    def __init__(self, root: Root, path: bytes, *, create: bool) -> None:
        self._root = root
        self._path = path
        self._create = create
        self._links = 0
        self._opened: list[int] = []
        self.names: list[bytes] = []

    @property
    def directory(self) -> int:
        return self._opened[-1] if self._opened else self._root.descriptor

    def walk_to_parent(self, parts: list[bytes], *, follow: bool) -> bytes:
        """Enter the directory that holds the last part; return the name in it, or ``.``."""
        left = deque(parts)
        while left:
            part = left.popleft()
            if part == b"..":  # only from a symlink's target
                self._up()
                continue
            target = self._link(part) if follow or left else None
            if target is not None:
                left.extendleft(reversed(target))
            elif not left:
                return part
            else:
                self._down(part)
        # The path ended in a symlink to a directory, which we have entered: go back to its parent.
        if not self.names:
            return b"."
        name = self.names[-1]
        self._up()
        return name

    def _link(self, part: bytes) -> list[bytes] | None:
        """Return the parts of the symlink's target; None if ``part`` is not a symlink."""
        try:
            target = os.readlink(part, dir_fd=self.directory)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT):  # not a symlink, or missing
                return None
            raise
        self._links += 1
        if self._links > _MAX_LINKS:
            raise os_problem(self._path, errno.ELOOP)
        if target.startswith(b"/"):
            within = self._root.within(target)
            if within is None:
                raise self._escape()
            self.close()
            target = within
        return [part for part in target.split(b"/") if part not in (b"", b".")]

    def _down(self, part: bytes) -> None:
        flags = _PASS | os.O_NOFOLLOW
        try:
            descriptor = os.open(part, flags, dir_fd=self.directory)
        except FileNotFoundError:
            if not self._create:
                raise
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, dir_fd=self.directory)
            descriptor = os.open(part, flags, dir_fd=self.directory)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise NotDirectory(f"{shown(self._path)}: not a directory on the way") from None
            raise
        self._opened.append(descriptor)
        self.names.append(part)

    def _up(self) -> None:
        if not self._opened:
            raise self._escape()
        os.close(self._opened.pop())
        self.names.pop()

    def _escape(self) -> PathEscape:
        return PathEscape(f"{shown(self._path)}: a symlink leads out of the root")

    def close(self) -> None:
        """Return to the root and close all descriptors."""
        while self._opened:
            os.close(self._opened.pop())
        self.names.clear()
