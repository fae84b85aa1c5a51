"""The worker process for ``fs_list``, ``fs_glob`` and ``fs_search``.

It receives the client's message (``files/workers.py``), and writes the entries as JSON objects with
commas between them, ready to be sent; then a summary. A tab, which JSON allows only as whitespace
between tokens, follows each complete batch of entries.
"""

from __future__ import annotations

import signal
import sys
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from shellwire.errors import WireError
from shellwire.files import walk
from shellwire.files.root import Root
from shellwire.process.python import python
from shellwire.protocol import codec, messages
from shellwire.protocol.file_names import decode_name, encode_name
from shellwire.protocol.limits import MAX_DAEMON_MESSAGE
from shellwire.server.files import render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SEARCH_SECONDS = 5.0
"""Seconds after which a search or a glob ends with what it has found."""

LIST_SECONDS = 30.0
"""Seconds after which listing a directory fails."""

MAX_ENTRY_BYTES = MAX_DAEMON_MESSAGE - 128 * 1024
"""The most bytes of entries in one answer, which also holds the directory's path and the ids."""

_BATCH = 64 * 1024
_encode = msgspec.json.Encoder().encode


class Summary(msgspec.Struct, omit_defaults=True):
    """The end of the output: whether entries are missing, or an error."""

    path: str = ""
    truncated: bool = False
    code: str = ""
    message: str = ""


def command() -> list[bytes]:
    """Return the command that starts a worker."""
    return python(__name__)


def main() -> None:
    """Answer requests from stdin until its end."""
    out = sys.stdout.buffer
    for line in sys.stdin.buffer:
        message = codec.decode_client(line)
        seconds = LIST_SECONDS if isinstance(message, messages.FsList) else SEARCH_SECONDS
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            summary = _OPERATIONS[type(message)](message, out)
        except WireError as error:
            summary = Summary(code=error.code, message=str(error))
        signal.setitimer(signal.ITIMER_REAL, 0)
        out.write(_encode(summary) + b"\n")
        out.flush()


def _list(message: messages.FsList, out: BinaryIO) -> Summary:
    with (
        Root(decode_name(message.root)) as root,
        walk.Listing(
            root, decode_name(message.path), include_hidden=message.include_hidden
        ) as directory,
    ):
        cut = _write(map(render.entry, directory.entries()), out, _BATCH)
        return Summary(path=encode_name(directory.path), truncated=directory.truncated or cut)


def _glob(message: messages.FsGlob, out: BinaryIO) -> Summary:
    limit = max(1, min(message.limit, walk.MAX_MATCHES))
    with Root(decode_name(message.root)) as root:
        found = walk.glob(root, message.pattern, include_hidden=message.include_hidden)
        # Each match is written at once, so that none is lost when the time is up.
        cut = _write(map(render.entry, islice(found, limit)), out, 0)
        return Summary(truncated=cut or next(found, None) is not None)


def _search(message: messages.FsSearch, out: BinaryIO) -> Summary:
    limit = max(1, min(message.limit, walk.MAX_RESULTS))
    with Root(decode_name(message.root)) as root:
        found = walk.search(
            root,
            decode_name(message.path),
            message.query,
            regex=message.regex,
            case_sensitive=message.case_sensitive,
            include_hidden=message.include_hidden,
        )
        cut = _write(map(render.match, islice(found, limit)), out, 0)
        return Summary(truncated=cut or next(found, None) is not None)


def _write(records: Iterable[msgspec.Struct], out: BinaryIO, batch: int) -> bool:
    """Write the records in batches of at least ``batch`` bytes, each as soon as it is full.

    Return whether records were left out because the answer would be too large.
    """
    waiting: list[bytes] = []
    size = 0
    separator = b""
    room = MAX_ENTRY_BYTES
    cut = False
    for record in records:
        written = _encode(record)
        room -= len(written) + 2
        if room < 0:
            cut = True
            break
        waiting.append(written)
        size += len(written)
        if size >= batch:
            out.write(separator + b",".join(waiting) + b"\t")
            out.flush()
            waiting, size, separator = [], 0, b","
    if waiting:
        out.write(separator + b",".join(waiting) + b"\t")
    return cut


_OPERATIONS: dict[type, Callable[[Any, BinaryIO], Summary]] = {
    messages.FsList: _list,
    messages.FsGlob: _glob,
    messages.FsSearch: _search,
}
