"""Reading and writing a whole file: in one message if it is small, over HTTP otherwise."""

from __future__ import annotations

import base64
import hashlib
import io
from typing import TYPE_CHECKING

from shellwire.client.files.content import LocalContent
from shellwire.client.files.download import Download, fetch_metadata
from shellwire.client.files.paths import to_wire
from shellwire.client.files.upload import Upload
from shellwire.client.files.upload_options import UploadOptions
from shellwire.errors import Conflict, Disconnected

if TYPE_CHECKING:
    from shellwire.client.files.paths import StrPath
    from shellwire.client.files.requests import FileRequests

SMALL = 512 * 1024
"""Bytes of a file that fit in one message; a larger file is sent over HTTP."""


async def read_file(
    requests: FileRequests, path: StrPath, offset: int, length: int | None
) -> bytes:
    """Return a file's content, or ``length`` bytes of it from ``offset`` on."""
    found = bytearray()
    target = await requests.resolve(path)
    while True:
        left = SMALL if length is None else min(SMALL, length - len(found))
        if left <= 0 and length is not None:
            return bytes(found)
        piece = await requests.ask(
            "read",
            root="/",
            path=to_wire(target),
            offset=offset + len(found),
            length=left,
            # Proves that all pieces are of one version; not wanted for a part of a file.
            hash=not offset and length is None,
        )
        found += base64.b64decode(piece["content_base64"])
        if piece["eof"] and (offset or length is not None):
            return bytes(found)
        if piece["eof"] and piece["hash"] == hashlib.sha256(found).hexdigest():
            return bytes(found)
        if offset == 0 and length is None:  # large, or changed between two pieces
            return await _download(requests, target)


async def _download(requests: FileRequests, path: str) -> bytes:
    content = io.BytesIO()
    metadata = await fetch_metadata(requests.http, path)
    await Download(requests.http, path, metadata, content, compress=False, progress=None).run()
    return content.getvalue()


async def write_file(
    requests: FileRequests, path: StrPath, data: bytes, expected_hash: str | None
) -> str:
    """Replace a file's content atomically; return the SHA-256 of ``data``. Raises Conflict."""
    target = await requests.resolve(path)
    if len(data) > SMALL:
        options = UploadOptions(if_match=expected_hash or None)
        source = LocalContent(io.BytesIO(data), target)
        return await Upload(requests.http, source, target, options, None).run()
    ours = hashlib.sha256(data).hexdigest()
    content = base64.b64encode(data).decode()
    cut = False
    while True:
        try:
            done = await requests.ask(
                "write",
                repeatable=False,
                root="/",
                path=to_wire(target),
                content_base64=content,
                expected_hash=expected_hash,
            )
        except Conflict:
            if cut and await requests.has_hash(target, ours):
                return ours  # we wrote it: the answer was lost with the connection
            raise
        except Disconnected:
            await requests.connection.link()  # raises if the connection can't be restored
            cut = True
        else:
            written: str = done["hash"]
            return written
