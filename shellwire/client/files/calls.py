"""What a client can do with files there."""

from __future__ import annotations

import asyncio
import os
import stat
from typing import TYPE_CHECKING

from shellwire.client.files.content import LocalContent, open_regular, whole
from shellwire.client.files.download import Download, FileMetadata, fetch_metadata
from shellwire.client.files.partial_file import PartialFile
from shellwire.client.files.paths import child, from_wire, to_wire
from shellwire.client.files.upload import Upload
from shellwire.client.files.upload_options import options_for_copy
from shellwire.client.files.whole_file import read_file, write_file
from shellwire.client.results import FileInfo, Found, Match
from shellwire.errors import (
    FileSystemError,
    NotFound,
    Unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.client.files.download import Sink
    from shellwire.client.files.paths import StrPath
    from shellwire.client.files.requests import FileRequests
    from shellwire.client.results import Message


class Files:
    """The part of a client that is about files.

    A path there is absolute, or counts from the home directory of the daemon's user, as ``~`` does.
    All of it raises WireError (NotFound, PathEscape, FileSystemError and the others), and, as
    everything that a client does, Unreachable and NotRunning.
    """

    _files: FileRequests

    async def read_file(self, path: StrPath, offset: int = 0, length: int | None = None) -> bytes:
        """Return a file's content, or ``length`` bytes of it from ``offset`` on."""
        return await read_file(self._files, path, offset, length)

    async def write_file(
        self, path: StrPath, data: str | bytes, *, expected_hash: str | None = None
    ) -> str:
        """Give a file a content, in one step, and return its SHA-256 in hexadecimal.

        Directories that are missing are made; mode and owner of a file that is there are kept. With
        ``expected_hash``, the SHA-256 of what is believed to be there, Conflict is raised, and
        nothing changed, if it is not.
        """
        content = data.encode() if isinstance(data, str) else data
        return await write_file(self._files, path, content, expected_hash)

    async def upload(
        self,
        source: str | os.PathLike[str],
        path: StrPath,
        *,
        compress: bool = False,
        preserve: bool = False,
        progress: Callable[[int, int], None] | None = None,
        expected_hash: str | None = None,
    ) -> str:
        """Copy the file ``source`` here to ``path`` there, in one step; return its SHA-256.

        It goes on where it was after a cut. If this process ends before it is done, the next upload
        of the same content to there goes on within the hour, if both have the ``client_id`` that
        their caller chose, or none. The mode of a file that is there is kept; a new one has that of
        ``source``, less the umask; with ``preserve`` it is the same, and so is the time. With
        ``compress`` it is compressed on the way where that pays. ``progress`` is called with the
        bytes that have gone and all there are. ``expected_hash`` is as for ``write_file``, and
        empty for a file that must not exist.

        Raises OSError for what can't be read here.
        """
        target = await self.resolve(path)
        file = await asyncio.to_thread(open_regular, os.fspath(source))
        try:
            metadata = os.fstat(file.fileno())
            content = LocalContent(file, os.fspath(source))
            if not metadata.st_size:
                content = await asyncio.to_thread(whole, file, os.fspath(source))
            options = await options_for_copy(
                self.stat,
                target,
                stat.S_IMODE(metadata.st_mode),
                metadata.st_mtime_ns,
                compress=compress,
                preserve=preserve,
                if_match=expected_hash,
            )
            return await Upload(self._files.http, content, target, options, progress).run()
        finally:
            file.close()

    async def download(
        self,
        path: StrPath,
        target: str | os.PathLike[str],
        *,
        compress: bool = False,
        preserve: bool = False,
        only_executable: bool = False,
        progress: Callable[[int, int], None] | None = None,
        unless: Callable[[], bool] | None = None,
    ) -> str:
        """Copy the file ``path`` there to ``target`` here, in one step; return its SHA-256.

        It goes on where it was after a cut. What has come when the connection is gone for good, or
        this is cancelled, stays beside ``target`` as ``.NAME.HASH.part``, for the next download of
        the same content. The mode of a file that is there is kept; a new one has that of ``path``,
        less the umask; with ``preserve`` it is the same, and so is the time. With
        ``only_executable`` the mode tells in any case no more than whether the owner may execute
        it: nothing else is taken from a daemon that is not trusted. ``compress`` and ``progress``
        are as for ``upload``. If ``unless``, asked just before ``target`` is replaced,
        returns true, it is not, and Conflict is raised.

        Raises OSError for what can't be written here.
        """
        source = await self.resolve(path)
        metadata = await fetch_metadata(self._files.http, source)
        partial = await asyncio.to_thread(PartialFile, os.fspath(target), metadata)
        transfer = Download(
            self._files.http, source, metadata, partial.file, compress=compress, progress=progress
        )
        try:
            await transfer.run()
            await asyncio.to_thread(
                partial.commit,
                transfer.metadata,
                preserve=preserve,
                only_executable=only_executable,
                unless=unless,
            )
        except (Unreachable, asyncio.CancelledError):
            partial.keep()
            raise
        except BaseException:
            partial.discard()
            raise
        return transfer.metadata.hash

    async def download_into(
        self,
        path: StrPath,
        file: Sink,
        *,
        compress: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> str:
        """Write the file ``path`` there into an open file here; return its SHA-256.

        It may be one that can't be read or set back, as a pipe: then Conflict is raised if the file
        changes after something of it was written. Goes on as ``download`` does after a cut.
        """
        source = await self.resolve(path)
        metadata = await fetch_metadata(self._files.http, source)
        transfer = Download(
            self._files.http, source, metadata, file, compress=compress, progress=progress
        )
        await transfer.run()
        return transfer.metadata.hash

    async def list_dir(self, path: StrPath = "~") -> list[FileInfo]:
        """Return what is in a directory, hidden names too: directories first, then by name."""
        where = await self.resolve(path)
        listing = await self._files.ask("list", root="/", path=to_wire(where), include_hidden=True)
        if listing["truncated"]:
            raise FileSystemError(f"{self._files.http.label}{where}: holds more than can be listed")
        return [
            _info(entry, child(where, from_wire(entry["name"]), self._files.http.label))
            for entry in listing["entries"]
        ]

    async def stat(self, path: StrPath) -> FileInfo:
        """Return what is at a path; of a symlink what it leads to. Raises NotFound."""
        where = await self.resolve(path)
        found = await self._files.ask("stat", root="/", path=to_wire(where))
        return _info(found, where.rstrip("/") or "/")

    async def look(self, path: StrPath, *, anew: bool = False) -> FileMetadata:
        """Return hash, size, mode and time of a file.

        With ``anew`` the daemon reads it, even if it remembers the hash of what looks like it.
        """
        return await fetch_metadata(self._files.http, await self.resolve(path), anew=anew)

    async def search(
        self,
        query: str,
        path: StrPath = "~",
        *,
        regex: bool = False,
        case_sensitive: bool = False,
        include_hidden: bool = False,
        limit: int = 100,
    ) -> Found:
        """Return the lines of files at or below ``path`` that match, ``limit`` matches at most.

        It ends after 5 seconds with what it has found by then. If this is cancelled, so is it.
        Raises InvalidRegex.
        """
        where = await self.resolve(path)
        found = await self._files.ask(
            "search",
            root="/",
            path=to_wire(where),
            query=query,
            regex=regex,
            case_sensitive=case_sensitive,
            include_hidden=include_hidden,
            limit=limit,
        )
        matches = tuple(
            Match(
                path="/" + from_wire(each["path"]),
                line_number=each["line_number"],
                line=each["line_content"],
                start=each["match_start"],
                end=each["match_end"],
            )
            for each in found["results"]
        )
        return Found(matches, found["truncated"])

    async def mkdir(self, path: StrPath) -> None:
        """Make a directory, and those that are missing on the way; one may be there already."""
        await self._files.ask("mkdir", root="/", path=to_wire(await self.resolve(path)))

    async def remove(
        self, path: StrPath, *, recursive: bool = False, expected_hash: str | None = None
    ) -> bool:
        """Remove a file, a symlink, or a directory; return whether there was one.

        Raises FileSystemError for a directory that is not empty, unless ``recursive``.
        """
        headers = {"If-Match": f'"{expected_hash}"'} if expected_hash else {}
        query = "?recursive=true" if recursive else ""
        try:
            await self._files.send("DELETE", await self.resolve(path), headers, query)
        except NotFound:
            return False
        return True

    async def unpack(self, archive: bytes, path: StrPath) -> None:
        """Put what a ``tar.gz`` holds into a directory, each member in its place by itself.

        The directory is made if it is missing. Modes and times are the archive's.
        """
        await self._files.send("PUT", await self.resolve(path), {}, "?archive=tar.gz", archive)

    async def realpath(self, path: StrPath) -> str:
        """Return where a directory is, without symlinks and ``..``."""
        where = "/" + to_wire(await self.resolve(path))
        return from_wire((await self._files.ask("root_info", root=where))["root"])

    async def straight(self, path: StrPath) -> str:
        """Return a path without ``..``, which no other call takes, by where that leads there."""
        path = os.fspath(path)
        parts = path.split("/")
        if ".." not in parts:
            return path
        at = len(parts) - parts[::-1].index("..")
        real = await self.realpath("/".join(parts[:at]))
        return "/".join([real.rstrip("/"), *parts[at:]]) or "/"

    async def resolve(self, path: StrPath) -> str:
        """Return the absolute path that is meant."""
        return await self._files.resolve(path)


def _info(entry: Message, path: str) -> FileInfo:
    return FileInfo(
        name=from_wire(entry["name"]),
        path=path,
        is_directory=entry["is_directory"],
        is_symlink=entry["is_symlink"],
        size=entry["size"],
        mode=entry["mode"],
        mtime=entry["mtime"],
        target=None if entry.get("target") is None else from_wire(entry["target"]),
        ctime=entry.get("ctime"),
        inode=entry.get("inode"),
        device=entry.get("device"),
    )
