"""What a client can do with files there."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import os
import secrets
import stat
from typing import TYPE_CHECKING, Any

from shellwire.client.files.content import Local, opened, whole
from shellwire.client.files.download import About, Download, look
from shellwire.client.files.local import Arrival
from shellwire.client.files.paths import absolute, child, from_root, from_wire, on_wire
from shellwire.client.files.upload import Upload, Wish
from shellwire.client.files.web import PASSING
from shellwire.client.files.wished import wished
from shellwire.client.results import FileInfo, Found, Match
from shellwire.errors import (
    Conflict,
    Disconnected,
    FileProblem,
    FileSystemError,
    InvalidAnswer,
    NotFound,
    ShellwireError,
    Unreachable,
)
from shellwire.protocol.answers import read_result

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.client.connection import Connection
    from shellwire.client.files.download import Sink
    from shellwire.client.files.paths import StrPath
    from shellwire.client.files.web import Web
    from shellwire.client.results import Message

SMALL = 512 * 1024
"""Bytes of a file that goes in one message; a larger one goes by HTTP."""


class Files:
    """The part of a client that is about files.

    A path there is absolute, or counts from the home directory of the daemon's user, as ``~`` does.
    All of it raises WireError (NotFound, PathEscape, FileSystemError and the others), and, as
    everything that a client does, Unreachable and NotRunning.
    """

    _connection: Connection
    _web: Web
    _home_there: str | None = None

    async def read_file(self, path: StrPath, offset: int = 0, length: int | None = None) -> bytes:
        """Return a file's content, or ``length`` bytes of it from ``offset`` on."""
        found = bytearray()
        where = on_wire(await self.resolve(path))
        while True:
            left = SMALL if length is None else min(SMALL, length - len(found))
            if left <= 0 and length is not None:
                return bytes(found)
            piece = await self._fs(
                "read",
                root="/",
                path=where,
                offset=offset + len(found),
                length=left,
                # A hash tells that the pieces belong together; of a part nobody asks for one.
                hash=not offset and length is None,
            )
            found += base64.b64decode(piece["content_base64"])
            if piece["eof"] and (offset or length is not None):
                return bytes(found)
            if piece["eof"] and piece["hash"] == hashlib.sha256(found).hexdigest():
                return bytes(found)
            if offset == 0 and length is None:  # large, or changed between two pieces
                content = io.BytesIO()
                await self._fetch(await self.resolve(path), content)
                return content.getvalue()

    async def write_file(
        self, path: StrPath, data: str | bytes, *, expected_hash: str | None = None
    ) -> str:
        """Give a file a content, in one step, and return its SHA-256 in hexadecimal.

        Directories that are missing are made; mode and owner of a file that is there are kept. With
        ``expected_hash``, the SHA-256 of what is believed to be there, Conflict is raised, and
        nothing changed, if it is not.
        """
        data = data.encode() if isinstance(data, str) else data
        target = await self.resolve(path)
        if len(data) > SMALL:
            wish = Wish(if_match=expected_hash or None)
            source = Local(io.BytesIO(data), target)
            return await Upload(self._web, source, target, wish, None).run()
        ours = hashlib.sha256(data).hexdigest()
        content = base64.b64encode(data).decode()
        cut = False
        while True:
            try:
                done = await self._fs(
                    "write",
                    repeatable=False,
                    root="/",
                    path=on_wire(target),
                    content_base64=content,
                    expected_hash=expected_hash,
                )
            except Conflict:
                if cut and await self._is(target, ours):
                    return ours  # by us: the answer was lost
                raise
            except Disconnected:
                await self._connection.link()  # raises why there is none any more
                cut = True
            else:
                written: str = done["hash"]
                return written

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
        file = await asyncio.to_thread(opened, os.fspath(source))
        try:
            about = os.fstat(file.fileno())
            content = Local(file, os.fspath(source))
            if not about.st_size:
                content = await asyncio.to_thread(whole, file, os.fspath(source))
            wish = await wished(
                self.stat,
                target,
                stat.S_IMODE(about.st_mode),
                about.st_mtime_ns,
                compress=compress,
                preserve=preserve,
                if_match=expected_hash,
            )
            return await Upload(self._web, content, target, wish, progress).run()
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
        about = await look(self._web, source)
        arrival = await asyncio.to_thread(Arrival, os.fspath(target), about)
        transfer = Download(
            self._web, source, about, arrival.file, compress=compress, progress=progress
        )
        try:
            await transfer.run()
            await asyncio.to_thread(
                arrival.finish,
                transfer.about,
                preserve=preserve,
                only_executable=only_executable,
                unless=unless,
            )
        except (Unreachable, asyncio.CancelledError):
            arrival.keep()
            raise
        except BaseException:
            arrival.discard()
            raise
        return transfer.about.hash

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
        about = await look(self._web, source)
        transfer = Download(self._web, source, about, file, compress=compress, progress=progress)
        await transfer.run()
        return transfer.about.hash

    async def list_dir(self, path: StrPath = "~") -> list[FileInfo]:
        """Return what is in a directory, hidden names too: directories first, then by name."""
        where = await self.resolve(path)
        listing = await self._fs("list", root="/", path=on_wire(where), include_hidden=True)
        if listing["truncated"]:
            raise FileSystemError(f"{self._web.label}{where}: holds more than can be listed")
        return [
            _info(entry, child(where, from_wire(entry["name"]), self._web.label))
            for entry in listing["entries"]
        ]

    async def stat(self, path: StrPath) -> FileInfo:
        """Return what is at a path; of a symlink what it leads to. Raises NotFound."""
        where = await self.resolve(path)
        found = await self._fs("stat", root="/", path=on_wire(where))
        return _info(found, where.rstrip("/") or "/")

    async def look(self, path: StrPath, *, anew: bool = False) -> About:
        """Return hash, size, mode and time of a file.

        With ``anew`` the daemon reads it, even if it remembers the hash of what looks like it.
        """
        return await look(self._web, await self.resolve(path), anew=anew)

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
        found = await self._fs(
            "search",
            root="/",
            path=on_wire(where),
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
        await self._fs("mkdir", root="/", path=on_wire(await self.resolve(path)))

    async def remove(
        self, path: StrPath, *, recursive: bool = False, expected_hash: str | None = None
    ) -> bool:
        """Remove a file, a symlink, or a directory; return whether there was one.

        Raises FileSystemError for a directory that is not empty, unless ``recursive``.
        """
        headers = {"If-Match": f'"{expected_hash}"'} if expected_hash else {}
        query = "?recursive=true" if recursive else ""
        try:
            await self._request("DELETE", await self.resolve(path), headers, query)
        except NotFound:
            return False
        return True

    async def unpack(self, archive: bytes, path: StrPath) -> None:
        """Put what a ``tar.gz`` holds into a directory, each member in its place by itself.

        The directory is made if it is missing. Modes and times are the archive's.
        """
        await self._request("PUT", await self.resolve(path), {}, "?archive=tar.gz", archive)

    async def realpath(self, path: StrPath) -> str:
        """Return where a directory is, without symlinks and ``..``."""
        where = "/" + on_wire(await self.resolve(path))
        return from_wire((await self._fs("root_info", root=where))["root"])

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
        path = os.fspath(path)
        if self._home_there is None and not path.startswith("/"):
            self._home_there = from_wire((await self._fs("root_info", root="~"))["root"])
        return absolute(path, self._home_there or "/")

    # How it is done ------------------------------------------------------------------------------

    async def _fs(self, what: str, *, repeatable: bool = True, **fields: Any) -> Message:
        message = {"type": f"fs_{what}", "id": secrets.token_hex(6), **fields}
        try:
            answer = await self._connection.ask(message, repeatable=repeatable)
        except asyncio.CancelledError:
            if what == "search":
                cancel = {"type": "cancel_command", "id": message["id"]}
                self._connection.spawn(self._connection.tell(cancel))
            raise
        except (FileProblem, NotFound) as error:
            path = from_wire(str(fields.get("path", fields.get("root", ""))))
            raise type(error)(from_root(str(error), path, self._web.label)) from None
        try:
            return read_result(message["type"], answer["result"])
        except InvalidAnswer as error:
            raise InvalidAnswer(error.sent, self._web.name) from None

    async def _request(
        self, method: str, path: str, headers: dict[str, str], query: str, data: bytes | None = None
    ) -> None:
        """Do by HTTP what may be done twice."""
        attempts = self._web.attempts()
        while True:
            try:
                answer = await self._web.ask(method, path, headers, query=query, data=data)
            except PASSING as why:
                await attempts.again(why)
            else:
                answer.release()
                return

    async def _fetch(self, path: str, content: io.BytesIO) -> None:
        about = await look(self._web, path)
        await Download(self._web, path, about, content, compress=False, progress=None).run()

    async def _is(self, path: str, hashed: str) -> bool:
        try:
            return (await look(self._web, path)).hash == hashed
        except ShellwireError:
            return False


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
