"""What a worker does: ``fs_list``, ``fs_glob`` and ``fs_search``, in a process of its own.

It is given the client's message and answers (``files/workers.py``) with what was found, as JSON
objects with commas between, ready to be sent on; then with an object about the whole. A tab, which
JSON takes for a space between two things and has nowhere else, stands behind all that is complete.
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
from shellwire.protocol.limits import MAX_DAEMON_MESSAGE
from shellwire.protocol.names import decode_name, encode_name
from shellwire.server.files import render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SEARCH_SECONDS = 5.0
"""Seconds after which a search or a glob ends with what it has found."""

LIST_SECONDS = 30.0
"""Seconds after which a directory that is still not read is given up."""

MOST_BYTES = MAX_DAEMON_MESSAGE - 128 * 1024
"""Bytes of what is found in one answer; the path of the directory and the ids come to it."""

_BATCH = 64 * 1024
_encode = msgspec.json.Encoder().encode


class About(msgspec.Struct, omit_defaults=True):
    """What comes last: whether there is more, or why there is nothing."""

    path: str = ""
    truncated: bool = False
    code: str = ""
    message: str = ""


def command() -> list[bytes]:
    """Return what starts a worker."""
    return python(__name__)


def main() -> None:
    """Answer one request after the other, until there are no more."""
    out = sys.stdout.buffer
    for line in sys.stdin.buffer:
        message = codec.decode_client(line)
        seconds = LIST_SECONDS if isinstance(message, messages.FsList) else SEARCH_SECONDS
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            about = _DO[type(message)](message, out)
        except WireError as error:
            about = About(code=error.code, message=str(error))
        signal.setitimer(signal.ITIMER_REAL, 0)
        out.write(_encode(about) + b"\n")
        out.flush()


def _list(message: messages.FsList, out: BinaryIO) -> About:
    with (
        Root(decode_name(message.root)) as root,
        walk.Listing(
            root, decode_name(message.path), include_hidden=message.include_hidden
        ) as directory,
    ):
        cut = _write(map(render.entry, directory.entries()), out, _BATCH)
        return About(path=encode_name(directory.path), truncated=directory.truncated or cut)


def _glob(message: messages.FsGlob, out: BinaryIO) -> About:
    limit = max(1, min(message.limit, walk.MAX_MATCHES))
    with Root(decode_name(message.root)) as root:
        found = walk.glob(root, message.pattern, include_hidden=message.include_hidden)
        # What has been found is to be known if the time is up.
        cut = _write(map(render.entry, islice(found, limit)), out, 0)
        return About(truncated=cut or next(found, None) is not None)


def _search(message: messages.FsSearch, out: BinaryIO) -> About:
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
        return About(truncated=cut or next(found, None) is not None)


def _write(records: Iterable[msgspec.Struct], out: BinaryIO, batch: int) -> bool:
    """Write pieces of at least ``batch`` bytes, each as soon as it is full.

    Return whether some were left out, for no message has room for them.
    """
    waiting: list[bytes] = []
    size = 0
    between = b""
    room = MOST_BYTES
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
            out.write(between + b",".join(waiting) + b"\t")
            out.flush()
            waiting, size, between = [], 0, b","
    if waiting:
        out.write(between + b",".join(waiting) + b"\t")
    return cut


_DO: dict[type, Callable[[Any, BinaryIO], About]] = {
    messages.FsList: _list,
    messages.FsGlob: _glob,
    messages.FsSearch: _search,
}
