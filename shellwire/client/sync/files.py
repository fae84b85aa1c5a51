"""The client's file methods, blocking."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from shellwire.client.client import Client
    from shellwire.client.file_results import FileInfo, Found
    from shellwire.client.files.download import FileMetadata, Sink
    from shellwire.client.files.paths import StrPath
    from shellwire.client.sync.loop import Loop


class Files:
    """The blocking forms of ``shellwire.client.files.calls.Files``.

    ``progress`` and ``unless`` are called in another thread.
    """

    _client: Client
    _loop: Loop

    def read_file(self, path: StrPath, offset: int = 0, length: int | None = None) -> bytes:
        """Return the content of a file, or ``length`` bytes of it from ``offset`` on."""
        return self._loop.run(self._client.read_file(path, offset, length))

    def write_file(
        self, path: StrPath, data: str | bytes, *, expected_hash: str | None = None
    ) -> str:
        """Replace the content of a file atomically; return its SHA-256 in hexadecimal."""
        return self._loop.run(self._client.write_file(path, data, expected_hash=expected_hash))

    def upload(
        self,
        source: str | os.PathLike[str],
        path: StrPath,
        *,
        compress: bool = False,
        preserve: bool = False,
        progress: Callable[[int, int], None] | None = None,
        expected_hash: str | None = None,
    ) -> str:
        """Copy the local file ``source`` to the remote ``path`` atomically; return its SHA-256."""
        return self._loop.run(
            self._client.upload(
                source,
                path,
                compress=compress,
                preserve=preserve,
                progress=progress,
                expected_hash=expected_hash,
            )
        )

    def download(
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
        """Copy the remote file ``path`` to the local ``target`` atomically; return its SHA-256."""
        return self._loop.run(
            self._client.download(
                path,
                target,
                compress=compress,
                preserve=preserve,
                only_executable=only_executable,
                progress=progress,
                unless=unless,
            )
        )

    def download_into(
        self,
        path: StrPath,
        file: Sink,
        *,
        compress: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> str:
        """Write the remote file ``path`` into an open local file; return its SHA-256."""
        return self._loop.run(
            self._client.download_into(path, file, compress=compress, progress=progress)
        )

    def list_dir(self, path: StrPath = "~") -> list[FileInfo]:
        """Return the entries of a directory, also hidden ones: directories first, then by name."""
        return self._loop.run(self._client.list_dir(path))

    def stat(self, path: StrPath) -> FileInfo:
        """Return the metadata of a path; of a symlink's target if it is one. Raises NotFound."""
        return self._loop.run(self._client.stat(path))

    def look(self, path: StrPath, *, anew: bool = False) -> FileMetadata:
        """Return hash, size, mode and modification time of a file.

        With ``anew`` the daemon reads the file even if it has a cached hash of it.
        """
        return self._loop.run(self._client.look(path, anew=anew))

    def search(
        self,
        query: str,
        path: StrPath = "~",
        *,
        regex: bool = False,
        case_sensitive: bool = False,
        include_hidden: bool = False,
        limit: int = 100,
    ) -> Found:
        """Return matching lines in the files at or below ``path``, at most ``limit`` matches."""
        return self._loop.run(
            self._client.search(
                query,
                path,
                regex=regex,
                case_sensitive=case_sensitive,
                include_hidden=include_hidden,
                limit=limit,
            )
        )

    def mkdir(self, path: StrPath) -> None:
        """Create a directory and its missing parents; it may exist already."""
        self._loop.run(self._client.mkdir(path))

    def remove(
        self, path: StrPath, *, recursive: bool = False, expected_hash: str | None = None
    ) -> bool:
        """Delete a file, a symlink or a directory; return whether it existed."""
        return self._loop.run(
            self._client.remove(path, recursive=recursive, expected_hash=expected_hash)
        )

    def unpack(self, archive: bytes, path: StrPath) -> None:
        """Extract a ``tar.gz`` archive into a directory, each member atomically."""
        self._loop.run(self._client.unpack(archive, path))

    def realpath(self, path: StrPath) -> str:
        """Return the path of a directory without symlinks and ``..``."""
        return self._loop.run(self._client.realpath(path))

    def straight(self, path: StrPath) -> str:
        """Return a path without ``..``, which no other method accepts."""
        return self._loop.run(self._client.straight(path))

    def resolve(self, path: StrPath) -> str:
        """Return the absolute form of a remote path."""
        return self._loop.run(self._client.resolve(path))
