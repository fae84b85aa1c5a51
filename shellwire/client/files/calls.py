"""The client's methods for files on the daemon's machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shellwire.client.files.paths import child, from_wire, to_wire
from shellwire.errors import FileSystemError, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.client.file_results import FileInfo, Found
    from shellwire.client.files.download import FileMetadata, Sink
    from shellwire.client.files.paths import StrPath
    from shellwire.client.files.requests import FileRequests
    from shellwire.client.results import Message

# The methods import what transfers files: that imports aiohttp, which takes longer than a command.


class Files:
    """The file methods of a client.

    Remote paths are absolute, or relative to the home directory of the daemon's user, also written
    ``~``. All methods raise WireError (NotFound, PathEscape, FileSystemError and others) and, like
    all methods of a client, Unreachable and NotRunning.
    """

    _files: FileRequests

    async def read_file(self, path: StrPath, offset: int = 0, length: int | None = None) -> bytes:
        """Return the content of a file, or ``length`` bytes of it from ``offset`` on."""
        from shellwire.client.files.whole_file import read_file

        return await read_file(self._files, path, offset, length)

    async def write_file(
        self, path: StrPath, data: str | bytes, *, expected_hash: str | None = None
    ) -> str:
        """Replace the content of a file atomically; return its SHA-256 in hexadecimal.

        Missing directories are created. Mode and owner of an existing file are kept.
        ``expected_hash`` is the SHA-256 that the file must have now: if it differs, Conflict is
        raised and nothing changes.
        """
        from shellwire.client.files.whole_file import write_file

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
        """Copy the local file ``source`` to the remote ``path`` atomically; return its SHA-256.

        After a disconnect the upload continues. If this process ends first, the next upload of the
        same content to the same path resumes it within an hour, provided that both have the same
        chosen ``client_id``, or none. An existing file keeps its mode; a new one gets the mode of
        ``source`` minus the umask. With ``preserve`` it gets the mode and the modification time of
        ``source``. With ``compress`` data is compressed in transit if that makes it smaller.
        ``progress`` is called with the bytes sent and the total. ``expected_hash`` is as for
        ``write_file``; an empty string means that the file must not exist.

        Raises OSError if ``source`` can't be read.
        """
        from shellwire.client.files.local_copies import CopyOptions, upload

        options = CopyOptions(compress, preserve, progress)
        return await upload(self, self._files, source, path, options, expected_hash)

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
        """Copy the remote file ``path`` to the local ``target`` atomically; return its SHA-256.

        After a disconnect the download continues. If the connection is lost for good, or this call
        is cancelled, the received data stays beside ``target`` as ``.NAME.HASH.part``, and the next
        download of the same content resumes it. An existing file keeps its mode; a new one gets the
        mode of ``path`` minus the umask. With ``preserve`` it gets the mode and the modification
        time of ``path``. With ``only_executable`` the remote mode only decides whether the owner
        may execute the file: use it if you don't trust the daemon. ``compress`` and ``progress``
        are as for ``upload``. ``unless`` is called just before ``target`` is replaced; if it
        returns true, ``target`` is kept and Conflict is raised.

        Raises OSError if ``target`` can't be written.
        """
        from shellwire.client.files.local_copies import CopyOptions, download

        options = CopyOptions(compress, preserve, progress)
        return await download(
            self._files, path, target, options, only_executable=only_executable, unless=unless
        )

    async def download_into(
        self,
        path: StrPath,
        file: Sink,
        *,
        compress: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> str:
        """Write the remote file ``path`` into an open local file; return its SHA-256.

        The file may be a pipe or another one that can't be read or rewound: then Conflict is raised
        if the remote file changes after something was written. Resumes after a disconnect as
        ``download`` does.
        """
        from shellwire.client.files.local_copies import CopyOptions, download_into

        options = CopyOptions(compress, preserve=False, progress=progress)
        return await download_into(self._files, path, file, options)

    async def list_dir(self, path: StrPath = "~") -> list[FileInfo]:
        """Return the entries of a directory, also hidden ones: directories first, then by name."""
        where = await self.resolve(path)
        listing = await self._files.ask("list", root="/", path=to_wire(where), include_hidden=True)
        if listing["truncated"]:
            raise FileSystemError(f"{self._files.label}{where}: has too many entries to list")
        return [
            _info(entry, child(where, from_wire(entry["name"]), self._files.label))
            for entry in listing["entries"]
        ]

    async def stat(self, path: StrPath) -> FileInfo:
        """Return the metadata of a path; of a symlink's target if it is one. Raises NotFound."""
        where = await self.resolve(path)
        found = await self._files.ask("stat", root="/", path=to_wire(where))
        return _info(found, where.rstrip("/") or "/")

    async def look(self, path: StrPath, *, anew: bool = False) -> FileMetadata:
        """Return hash, size, mode and modification time of a file.

        With ``anew`` the daemon reads the file even if it has a cached hash of it.
        """
        from shellwire.client.files.download import fetch_metadata

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
        """Return matching lines in the files at or below ``path``, at most ``limit`` matches.

        The search stops after 5 seconds and returns the matches so far. Cancelling this call stops
        it at the daemon. Raises InvalidRegex.
        """
        from shellwire.client.file_results import Found, Match

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
        """Create a directory and its missing parents; it may exist already."""
        await self._files.ask("mkdir", root="/", path=to_wire(await self.resolve(path)))

    async def remove(
        self, path: StrPath, *, recursive: bool = False, expected_hash: str | None = None
    ) -> bool:
        """Delete a file, a symlink or a directory; return whether it existed.

        Raises FileSystemError for a directory that is not empty, unless ``recursive``. If
        ``expected_hash`` is given and the file's SHA-256 differs, Conflict is raised.
        """
        headers = {"If-Match": f'"{expected_hash}"'} if expected_hash else {}
        query = "?recursive=true" if recursive else ""
        try:
            await self._files.send("DELETE", await self.resolve(path), headers, query)
        except NotFound:
            return False
        return True

    async def unpack(self, archive: bytes, path: StrPath) -> None:
        """Extract a ``tar.gz`` archive into a directory, each member atomically.

        The directory is created if missing. Modes and times come from the archive.
        """
        await self._files.send("PUT", await self.resolve(path), {}, "?archive=tar.gz", archive)

    async def realpath(self, path: StrPath) -> str:
        """Return the path of a directory without symlinks and ``..``."""
        where = "/" + to_wire(await self.resolve(path))
        return from_wire((await self._files.ask("root_info", root=where))["root"])

    async def straight(self, path: StrPath) -> str:
        """Return a path without ``..``, which no other method accepts.

        ``..`` is resolved on the daemon's machine, after the symlinks before it.
        """
        path = os.fspath(path)
        parts = path.split("/")
        if ".." not in parts:
            return path
        at = len(parts) - parts[::-1].index("..")
        real = await self.realpath("/".join(parts[:at]))
        return "/".join([real.rstrip("/"), *parts[at:]]) or "/"

    async def resolve(self, path: StrPath) -> str:
        """Return the absolute form of a remote path."""
        return await self._files.resolve(path)


def _info(entry: Message, path: str) -> FileInfo:
    from shellwire.client.file_results import FileInfo

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
