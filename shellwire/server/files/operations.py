"""File message → what it does: one small function for each, called in a thread.

Only ``fs_list``, ``fs_glob`` and ``fs_search`` are done by a worker (``file_worker.py``).
"""

from __future__ import annotations

import binascii
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from shellwire.errors import FileSystemError, InvalidArgument, from_wire
from shellwire.files import change, entry, read
from shellwire.files.problems import translate_os_errors
from shellwire.files.root import Root
from shellwire.files.write import Replacement, check_expected, hash_precondition
from shellwire.protocol import codec, messages
from shellwire.protocol.names import decode_name
from shellwire.server.files import render
from shellwire.server.files.worker import LIST_SECONDS, About
from shellwire.server.frames import Pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shellwire.files.service import FileService
    from shellwire.files.uploads import Uploads
    from shellwire.protocol.messages import FileMessage, FileResult

    Act = Callable[[FileService, Uploads, Any], FileResult]

MAX_WORDS = 4096
"""Characters in a pattern or a query."""

_PIECE = 256 * 1024


def do(files: FileService, uploads: Uploads, message: FileMessage) -> Pieces | read.ReadResult:
    """Do what ``message`` asks; return what answers it. Raises WireError.

    A piece of a large file is returned as it was read, for its hash is still missing: see
    ``hashed``.
    """
    if isinstance(message, messages.FsRead):
        piece = _read(files, message)
        if piece.descriptor is not None:
            return piece
        return _answer(render.content(piece.content), message)
    return _answer(_ACTS[type(message)](files, uploads, message), message)


def _answer(result: FileResult, message: FileMessage) -> Pieces:
    head, tail = codec.encode_fs_result(message)
    return Pieces([head, msgspec.json.encode(result), tail])


async def hashed(files: FileService, piece: read.ReadResult, message: messages.FsRead) -> Pieces:
    """Return what answers a read of a large file. Raises WireError.

    The file is the one that was read: who writes it meanwhile gives its name to another.
    """
    assert piece.descriptor is not None, "a hash is missing"
    with translate_os_errors(piece.content.path):
        found = await files.hash_of(piece.descriptor)
    content = replace(piece.content, hash=found)
    return _answer(render.content(content), message)


def _root(message: Any) -> Root:
    return Root(decode_name(message.root))


def _content(message: messages.FsWrite | messages.FsWriteChunk) -> bytes:
    try:
        return b"".join(_decoded(message.content_base64))
    except ValueError:
        raise InvalidArgument("content_base64: expected base64") from None


def _decoded(text: str) -> Iterator[bytes]:
    """Decode base64 piece by piece: while it is decoded nothing else of Python runs."""
    for at in range(0, len(text), _PIECE):
        piece = binascii.a2b_base64(text[at : at + _PIECE], strict_mode=True)
        if at + _PIECE < len(text) and len(piece) < _PIECE // 4 * 3:
            raise ValueError("padding in the middle")
        yield piece
        time.sleep(0)  # others that wait for the interpreter have it now, not in 5 ms


def _root_info(_files: FileService, _uploads: Uploads, message: messages.FsRootInfo) -> FileResult:
    with _root(message) as root:
        return render.root_info(root)


def _stat(_files: FileService, _uploads: Uploads, message: messages.FsStat) -> FileResult:
    with _root(message) as root:
        return render.entry(entry.stat_entry(root, decode_name(message.path)))


def _read(files: FileService, message: messages.FsRead) -> read.ReadResult:
    with _root(message) as root:
        path = decode_name(message.path)
        return read.read(
            root, path, message.offset, message.length, files.hashes, hashed=message.hash
        )


def _write(files: FileService, _uploads: Uploads, message: messages.FsWrite) -> FileResult:
    data = _content(message)
    replacement = _begin(files, message, len(data))
    try:
        replacement.write(data)
    except BaseException:
        replacement.discard()
        raise
    written = replacement.commit(hash_precondition(message.expected_hash), files.hashes)
    return messages.Written(entry=render.entry(written), hash=replacement.hash)


def _write_start(
    files: FileService, uploads: Uploads, message: messages.FsWriteStart
) -> FileResult:
    upload_id = uploads.add(lambda: _begin(files, message, 0), message.expected_hash)
    return messages.UploadStarted(upload_id=upload_id, bytes_written=0)


def _begin(
    files: FileService, message: messages.FsWrite | messages.FsWriteStart, size: int
) -> Replacement:
    path = decode_name(message.path)
    with _root(message) as root:
        check_expected(root, path, message.expected_hash, files.hashes)
        return Replacement(
            root,
            path,
            files.tempfiles,
            files.limits,
            create_parents=message.create_parents,
            size=size,
        )


def _write_chunk(
    _files: FileService, uploads: Uploads, message: messages.FsWriteChunk
) -> FileResult:
    written = uploads.append(message.upload_id, _content(message))
    return messages.UploadProgress(bytes_written=written)


def _write_finish(
    _files: FileService, uploads: Uploads, message: messages.FsWriteFinish
) -> FileResult:
    written, digest = uploads.finish(message.upload_id)
    return messages.Written(entry=render.entry(written), hash=digest)


def _mkdir(_files: FileService, _uploads: Uploads, message: messages.FsMkdir) -> FileResult:
    with _root(message) as root:
        made = change.make_directory(root, decode_name(message.path))
    return messages.Changed(entry=render.entry(made))


def _delete(_files: FileService, _uploads: Uploads, message: messages.FsDelete) -> FileResult:
    with _root(message) as root:
        path = decode_name(message.path)
        return messages.Deleted(deleted=change.delete(root, path, recursive=message.recursive))


def _rename(_files: FileService, _uploads: Uploads, message: messages.FsRename) -> FileResult:
    with _root(message) as root:
        renamed = change.rename(root, decode_name(message.path), decode_name(message.new_path))
    return messages.Changed(entry=render.entry(renamed))


_ACTS: dict[type, Act] = {
    messages.FsRootInfo: _root_info,
    messages.FsStat: _stat,
    messages.FsWrite: _write,
    messages.FsWriteStart: _write_start,
    messages.FsWriteChunk: _write_chunk,
    messages.FsWriteFinish: _write_finish,
    messages.FsMkdir: _mkdir,
    messages.FsDelete: _delete,
    messages.FsRename: _rename,
}


# In a worker -------------------------------------------------------------------------------------

Walk = messages.FsList | messages.FsGlob | messages.FsSearch


async def walk(files: FileService, message: Walk) -> Pieces:
    """Have a worker do what ``message`` asks; return what answers it. Raises WireError."""
    words = getattr(message, "pattern", "") + getattr(message, "query", "")
    if len(words) > MAX_WORDS:
        raise InvalidArgument(f"expected at most {MAX_WORDS} characters, got {len(words)}")
    found, whole = await files.workers.ask(codec.encode(message))
    rest = _cut_off_rest(found)
    about = msgspec.json.decode(rest, type=About) if whole else About(truncated=True)
    if about.code:
        raise from_wire(about.code, about.message)
    if not whole and isinstance(message, messages.FsList):
        raise FileSystemError(f"the directory could not be read within {LIST_SECONDS:g} s")
    first = {"path": about.path} if isinstance(message, messages.FsList) else {}
    about_it = msgspec.json.encode({**first, "truncated": about.truncated})
    head, tail = codec.encode_fs_result(message)
    # What was found, which may be long, is not read again.
    name = _NAMES[type(message)]
    return Pieces([head, about_it[:-1], b',"', name, b'":[', *found, b"]}", tail])


def _cut_off_rest(pieces: list[bytes]) -> bytes:
    """Return what stands behind the last tab, and leave what stands before it."""
    rest = b""
    while pieces:
        rest = pieces.pop() + rest
        before, tab, behind = rest.rpartition(b"\t")
        if tab:
            pieces.append(before)
            return behind
    return rest


_NAMES: dict[type, bytes] = {
    messages.FsList: b"entries",
    messages.FsGlob: b"matches",
    messages.FsSearch: b"results",
}
