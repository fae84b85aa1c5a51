"""The two ends of a copy, here and there: what they have in common is a file tree."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import posixpath
import stat
import tarfile
import time
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from shellwire.errors import NotFound
from shellwire.output import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from shellwire.client import Client, FileInfo


def _mask(*, preserve: bool) -> int:
    """Return the bits that a new file or directory does not get."""
    # Imported here: shellwire.client loads aiohttp, which --help does not need.
    from shellwire.client.files.partial_file import umask

    return 0 if preserve else umask()


class Node(NamedTuple):
    """A file or a directory at an end."""

    path: str
    is_directory: bool
    is_symlink: bool
    size: int
    mode: int
    mtime_ns: int


def joined(directory: str, name: str) -> str:
    """Return the path of what is in a directory."""
    return f"{directory.rstrip('/')}/{name}" if directory else name


def holds(directory: str, path: str) -> bool:
    """Whether a path is a directory's own, or in it, where both have no symlinks."""
    return f"{path}/".startswith(f"{directory.rstrip('/')}/")


class Here:
    """This machine."""

    def shown(self, path: str) -> str:
        """Return how a path is called in what is told."""
        return printable(path)

    async def find(self, path: str) -> Node | None:
        """Return what is at a path, symlinks followed; None if nothing is. Raises OSError."""
        try:
            return await asyncio.to_thread(_node, path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    async def straight(self, path: str) -> str:
        """Return the path as it can be asked for."""
        return path

    def parent(self, path: str) -> str:
        """Return the directory that holds what is at a path."""
        return os.path.dirname(path.rstrip("/")) or "."

    async def real(self, path: str) -> str:
        """Return where a directory is, without symlinks."""
        return (await asyncio.to_thread(os.path.realpath, path)).replace(os.sep, "/")

    async def inside(self, path: str) -> list[Node]:
        """Return what is in a directory. Raises OSError."""
        return await asyncio.to_thread(_nodes, path)

    async def expand(self, path: str) -> list[str]:
        """Return the paths that are meant; the shell has expanded them."""
        return [path]

    async def make_directories(self, made: Sequence[tuple[str, Node]], *, preserve: bool) -> None:
        """Make directories that are like others, so that they can be written to."""
        for path, like in made:
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, (like.mode | stat.S_IRWXU) & 0o777)

    async def finish_directories(self, made: Sequence[tuple[str, Node]], *, preserve: bool) -> None:
        """Give them their modes, and with ``preserve`` times."""
        mask = _mask(preserve=preserve)
        for path, like in reversed(made):
            os.chmod(path, like.mode & 0o777 & ~mask)
            if preserve:
                os.utime(path, ns=(like.mtime_ns, like.mtime_ns))

    async def sweep(self, directory: str, names: Collection[str]) -> None:
        """Remove what copies of these files have left that came to nothing. Raises OSError."""
        from shellwire.client.files.partial_file import remove_partials

        await asyncio.to_thread(remove_partials, directory or ".", names)


def _nodes(path: str) -> list[Node]:
    found = []
    for name in sorted(os.listdir(path)):
        try:
            found.append(_node(joined(path, name)))
        except OSError:  # a symlink to nothing, or gone by now: who copies it is told
            found.append(Node(joined(path, name), False, True, 0, 0, 0))
    return found


def _node(path: str) -> Node:
    found = os.stat(path)
    is_directory = stat.S_ISDIR(found.st_mode)
    return Node(
        path=path,
        is_directory=is_directory,
        is_symlink=os.path.islink(path),
        size=0 if is_directory else found.st_size,
        mode=stat.S_IMODE(found.st_mode),
        mtime_ns=found.st_mtime_ns,
    )


class There:
    """The daemon's machine."""

    def __init__(self, client: Client, host: str) -> None:
        self.client = client
        self._host = host

    def shown(self, path: str) -> str:
        """Return how a path is called in what is told."""
        return printable(f"{self._host}:{path}")

    async def find(self, path: str) -> Node | None:
        """Return what is at a path, symlinks followed; None if nothing is. Raises WireError."""
        try:
            return _told(await self.client.stat(path))
        except NotFound:
            return None

    async def straight(self, path: str) -> str:
        """Return the path as it can be asked for, without ``..``. Raises WireError."""
        return await self.client.straight(path)

    def parent(self, path: str) -> str:
        """Return the directory that holds what is at a path."""
        return posixpath.dirname(path.rstrip("/")) or "~"

    async def real(self, path: str) -> str:
        """Return where a directory is, without symlinks. Raises WireError."""
        return await self.client.realpath(path)

    async def inside(self, path: str) -> list[Node]:
        """Return what is in a directory. Raises WireError."""
        found = [_told(each) for each in await self.client.list_dir(path)]
        return sorted(found, key=lambda each: each.path)

    async def expand(self, path: str) -> list[str]:
        """Return the paths that a pattern in the last part means; itself if there are none."""
        directory, slash, name = path.rpartition("/")
        if not any(each in name for each in "*?[") or await self.find(path) is not None:
            return [path]
        parent = directory or ("/" if slash else "~")
        found = [
            each.path
            for each in await self.client.list_dir(parent)
            if fnmatchcase(each.name, name) and each.name.startswith(".") == name.startswith(".")
        ]
        return sorted(found) or [path]

    async def make_directories(self, made: Sequence[tuple[str, Node]], *, preserve: bool) -> None:
        """Make directories that are like others, so that they can be written to."""
        mask = _mask(preserve=preserve)
        now = time.time_ns()
        await self._unpack(
            [
                (path, like._replace(mode=(like.mode & ~mask) | stat.S_IRWXU, mtime_ns=now))
                for path, like in made
            ]
        )

    async def finish_directories(self, made: Sequence[tuple[str, Node]], *, preserve: bool) -> None:
        """Give them their modes, and with ``preserve`` times."""
        mask = _mask(preserve=preserve)
        exact = [(path, like._replace(mode=like.mode & ~mask)) for path, like in made]
        if preserve:
            await self._unpack(exact)
        else:
            now = time.time_ns()
            await self._unpack(
                [
                    (path, like._replace(mtime_ns=now))
                    for path, like in exact
                    if like.mode & stat.S_IRWXU != stat.S_IRWXU
                ]
            )

    async def sweep(self, directory: str, names: Collection[str]) -> None:
        """Leave that to the daemon, which keeps it for an hour."""

    async def _unpack(self, made: Sequence[tuple[str, Node]]) -> None:
        """Make directories, or change them, all by one request: no message sets modes and times."""
        if not made:
            return
        paths = [(await self.client.resolve(path)).rstrip("/") for path, _ in made]
        # Not one of them itself: that may be one that nothing can be put into.
        common = posixpath.commonpath([posixpath.dirname(path) or "/" for path in paths])
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
            for path, (_, like) in zip(paths, made, strict=True):
                info = tarfile.TarInfo(posixpath.relpath(path or "/", common))
                info.type, info.mode = tarfile.DIRTYPE, like.mode & 0o1777
                info.mtime = like.mtime_ns / 1e9
                tar.addfile(info)
        await self.client.unpack(archive.getvalue(), common)


def _told(info: FileInfo) -> Node:
    return Node(
        path=info.path,
        is_directory=info.is_directory,
        is_symlink=info.is_symlink,
        size=info.size,
        mode=info.mode,
        mtime_ns=round(info.mtime * 1e9),
    )
