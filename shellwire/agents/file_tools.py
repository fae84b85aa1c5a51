"""The functions of the file tools."""

from __future__ import annotations

import hashlib
import posixpath
from typing import TYPE_CHECKING

from shellwire.agents import file_arguments as files
from shellwire.errors import InvalidArgument

if TYPE_CHECKING:
    from shellwire.agents.daemon import Daemon
    from shellwire.agents.progress import Report
    from shellwire.client import Client

_LONGEST_LINE = 500


async def _resolve(client: Client, path: str) -> str:
    """Return the absolute path; a relative one starts at the saved directory."""
    if not path.startswith(("/", "~")):
        path = posixpath.join((await client.context("default").get()).cwd, path)
    return await client.resolve(await client.straight(path))


async def read_file(
    daemon: Daemon, given: files.ReadFile, report: Report | None
) -> files.FileContent:
    """Return a piece of a file. Raises NotFound, NotFile, FileSystemError."""
    client = await daemon.client()
    path = await _resolve(client, given.path)
    # One byte more than asked for shows whether the file ends here.
    found = await client.read_file(path, given.offset, given.length + 1)
    eof = len(found) <= given.length
    data = found if eof else _whole_characters(found[: given.length])
    text = data.decode(errors="replace")
    is_whole = eof and given.offset == 0
    end = given.offset + len(data)
    tells = eof and (data or not given.offset)  # an offset past the end does not give the size
    return files.FileContent(
        path=path,
        content=text,
        is_text=_is_text(data),
        size=end if tells else (await client.stat(path)).size,
        next_offset=end,
        eof=eof,
        hash=hashlib.sha256(data).hexdigest() if is_whole else None,
    )


def _whole_characters(data: bytes) -> bytes:
    """Return ``data`` without an incomplete UTF-8 character at its end."""
    for back in range(1, 4):
        lead = data[-back]
        if lead >= 0xC0:
            length = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
            return data[:-back] if back < length else data
        if lead < 0x80:
            break
    return data


def _is_text(data: bytes) -> bool:
    try:
        return "\0" not in data.decode()
    except UnicodeDecodeError:
        return False


async def write_file(
    daemon: Daemon, given: files.WriteFile, report: Report | None
) -> files.FileWritten:
    """Replace a file's content. Raises Conflict, NotFile, FileSystemError."""
    client = await daemon.client()
    path = await _resolve(client, given.path)
    content = _encoded(given.content, "content")
    hashed = await client.write_file(path, content, expected_hash=given.expected_hash)
    return files.FileWritten(path=path, size=len(content), hash=hashed)


async def edit_file(
    daemon: Daemon, given: files.EditFile, report: Report | None
) -> files.FileWritten:
    """Replace text in a file. Raises InvalidArgument unless it occurs exactly once."""
    client = await daemon.client()
    path = await _resolve(client, given.path)
    old, new = _encoded(given.old, "old"), _encoded(given.new, "new")
    content = await client.read_file(path)
    if b"\r" not in old and _has_only_crlf(content):
        # A model sees and writes LF. A single LF in a CRLF file would be an unwanted change.
        old, new = _with_crlf(old), _with_crlf(new)
    at = content.find(old)
    if at < 0:
        raise InvalidArgument(f"old: this text does not occur in {path}; read the file again")
    # Search from the next byte on: overlapping occurrences count too.
    if content.find(old, at + 1) >= 0:
        raise InvalidArgument(
            f"old: this text occurs more than once in {path}; include more of the text around it"
        )
    edited = content[:at] + new + content[at + len(old) :]
    believed = hashlib.sha256(content).hexdigest()
    hashed = await client.write_file(path, edited, expected_hash=believed)
    return files.FileWritten(path=path, size=len(edited), hash=hashed)


async def search_files(
    daemon: Daemon, given: files.SearchFiles, report: Report | None
) -> files.FileMatches:
    """Search lines of files. Raises InvalidRegex, NotFound."""
    client = await daemon.client()
    found = await client.search(
        given.query,
        await _resolve(client, given.path),
        regex=given.regex,
        case_sensitive=given.case_sensitive,
        include_hidden=given.include_hidden,
        limit=given.limit,
    )
    return files.FileMatches(
        matches=[
            files.FileMatch(
                path=match.path, line_number=match.line_number, line=match.line[:_LONGEST_LINE]
            )
            for match in found.matches
        ],
        truncated=found.truncated,
    )


def _has_only_crlf(content: bytes) -> bool:
    ends = content.count(b"\n")
    return ends > 0 and content.count(b"\r\n") == ends


def _with_crlf(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _encoded(text: str, name: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(f"{name}: an unpaired surrogate is not a character") from None
