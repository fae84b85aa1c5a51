"""Execute file messages: one function for each, called in a thread.

``fs_list``, ``fs_glob`` and ``fs_search`` run in a worker process instead (``worker.py``).
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
from shellwire.principals import OWNER
from shellwire.protocol import codec, messages
from shellwire.protocol.file_names import decode_name
from shellwire.server.files import render
from shellwire.server.files.worker import LIST_SECONDS, Summary
from shellwire.server.outgoing_frames import Pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shellwire.files.service import FileService
    from shellwire.files.uploads import Uploads
    from shellwire.protocol.messages import FileMessage, FileResult

    Operation = Callable[[FileService, Uploads, Any], FileResult]

MAX_PATTERN = 4096
"""The longest pattern or query, in characters."""

_PIECE = 256 * 1024


def execute(files: FileService, uploads: Uploads, message: FileMessage) -> Pieces | read.ReadResult:
    """Execute ``message``; return the answer. Raises WireError.

    For a part of a large file return the part itself: its hash must be computed, see
    ``answer_with_hash``.
    """
    if isinstance(message, messages.FsRead):
        piece = _read(files, message)
        if piece.descriptor is not None:
            return piece
        return _answer(render.content(piece.content), message)
    return _answer(_OPERATIONS[type(message)](files, uploads, message), message)


def _answer(result: FileResult, message: FileMessage) -> Pieces:
    head, tail = codec.encode_fs_result(message)
    return Pieces([head, msgspec.json.encode(result), tail])


async def answer_with_hash(
    files: FileService, piece: read.ReadResult, message: messages.FsRead, principal: str
) -> Pieces:
    """Compute the hash of a large file, and return the answer to its read. Raises WireError.

    The descriptor still refers to the file that was read: a write replaces the file by name.
    """
    assert piece.descriptor is not None, "a hash is missing"
    with translate_os_errors(piece.content.path):
        found = await files.hash_of(piece.descriptor, principal)
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
    """Decode base64 in pieces: decoding holds the interpreter lock."""
    for at in range(0, len(text), _PIECE):
        piece = binascii.a2b_base64(text[at : at + _PIECE], strict_mode=True)
        if at + _PIECE < len(text) and len(piece) < _PIECE // 4 * 3:
            raise ValueError("padding in the middle")
        yield piece
        time.sleep(0)  # let waiting threads have the interpreter now, not after 5 ms


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


_OPERATIONS: dict[type, Operation] = {
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


async def walk(files: FileService, message: Walk, principal: str) -> Pieces:
    """Execute ``message`` in a worker; return the answer. Raises WireError."""
    text = getattr(message, "pattern", "") + getattr(message, "query", "")
    if len(text) > MAX_PATTERN:
        raise InvalidArgument(f"expected at most {MAX_PATTERN} characters, got {len(text)}")
    found, whole = await files.workers.ask(codec.encode(message), is_owners=principal == OWNER)
    rest = _split_summary(found)
    summary = msgspec.json.decode(rest, type=Summary) if whole else Summary(truncated=True)
    if summary.code:
        raise from_wire(summary.code, summary.message)
    if not whole and isinstance(message, messages.FsList):
        raise FileSystemError(f"the directory could not be read within {LIST_SECONDS:g} s")
    path = {"path": summary.path} if isinstance(message, messages.FsList) else {}
    fields = msgspec.json.encode({**path, "truncated": summary.truncated})
    head, tail = codec.encode_fs_result(message)
    # The entries may be many, so their JSON is passed on without decoding it.
    name = _LIST_FIELDS[type(message)]
    return Pieces([head, fields[:-1], b',"', name, b'":[', *found, b"]}", tail])


def _split_summary(pieces: list[bytes]) -> bytes:
    """Remove and return the bytes after the last tab: the summary, or an incomplete batch."""
    rest = b""
    while pieces:
        rest = pieces.pop() + rest
        before, tab, after = rest.rpartition(b"\t")
        if tab:
            pieces.append(before)
            return after
    return rest


_LIST_FIELDS: dict[type, bytes] = {
    messages.FsList: b"entries",
    messages.FsGlob: b"matches",
    messages.FsSearch: b"results",
}
