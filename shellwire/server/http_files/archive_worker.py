"""What a process that packs or unpacks one archive does; ``files/streams.py`` is its other end.

It is told what to do by its last argument, in JSON.
"""

from __future__ import annotations

import os
import resource
import sys
from typing import Literal

import msgspec

from shellwire.errors import FileSystemError, InvalidArgument, WireError
from shellwire.files.archive_process import STATUS_FD
from shellwire.files.compression import Archive  # noqa: TC001 - msgspec looks it up
from shellwire.files.hashes import Hashes
from shellwire.files.limits import FileLimits
from shellwire.files.root import Root
from shellwire.process.python import python

# tarfile reads a header as a whole, however large the archive says that it is.
_MOST_MEMORY = 512 * 1024 * 1024


class Order(msgspec.Struct):
    """What is to be done, to the directory ``root``."""

    root: bytes
    kind: Archive
    does: Literal["pack", "unpack"]
    workshop: bytes = b""
    max_file: int = 0
    max_upload: int = 0
    min_free: int = 0


class About(msgspec.Struct, omit_defaults=True):
    """The last line: what has come of it."""

    files: int = 0
    bytes: int = 0
    code: str = ""
    message: str = ""
    errno: int = 0


def command(order: Order) -> list[bytes]:
    """Return what starts it."""
    return [*python(__name__), msgspec.json.encode(order)]


def main() -> None:
    """Do it."""
    order = msgspec.json.decode(os.fsencode(sys.argv[1]), type=Order)
    resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY, _MOST_MEMORY))
    try:
        about = _pack(order) if order.does == "pack" else _unpack(order)
    except BrokenPipeError:
        return  # nobody wants it any more
    except FileSystemError as error:
        about = About(code=error.code, message=str(error), errno=error.errno or 0)
    except WireError as error:
        about = About(code=error.code, message=str(error))
    except OSError as error:
        about = About(
            code=FileSystemError.code, message=str(error.strerror), errno=error.errno or 0
        )
    except MemoryError:
        about = About(code=InvalidArgument.code, message="a header in the archive is too large")
    os.write(STATUS_FD, msgspec.json.encode(about))


# tarfile is large, and the other end, which is the daemon, does without.


def _pack(order: Order) -> About:
    from shellwire.files import archive

    with Root(order.root) as root:
        archive.pack(root, sys.stdout.buffer, order.kind)
    return About()


def _unpack(order: Order) -> About:
    from shellwire.files import archive

    limits = FileLimits(
        max_file=order.max_file, max_upload=order.max_upload, min_free=order.min_free
    )
    with Root(order.root) as root:
        done = archive.unpack(root, sys.stdin.buffer, order.kind, order.workshop, limits, Hashes())
    os.sync()
    return About(files=done.files, bytes=done.bytes)
