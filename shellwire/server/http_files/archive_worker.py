"""The worker process that packs or unpacks one archive, started by ``files/streams.py``.

Its last argument is the task, in JSON.
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

# tarfile reads a header into memory, whatever size the archive claims.
_MAX_MEMORY = 512 * 1024 * 1024


class ArchiveTask(msgspec.Struct):
    """Packing or unpacking the directory ``root``."""

    root: bytes
    kind: Archive
    action: Literal["pack", "unpack"]
    temporary_name: bytes = b""
    max_file: int = 0
    max_upload: int = 0
    min_free: int = 0


class Summary(msgspec.Struct, omit_defaults=True):
    """The result: the numbers of files and bytes, or an error."""

    files: int = 0
    bytes: int = 0
    code: str = ""
    message: str = ""
    errno: int = 0


def command(task: ArchiveTask) -> list[bytes]:
    """Return the command that starts the worker."""
    return [*python(__name__), msgspec.json.encode(task)]


def main() -> None:
    """Execute the task, and write its summary."""
    task = msgspec.json.decode(os.fsencode(sys.argv[1]), type=ArchiveTask)
    resource.setrlimit(resource.RLIMIT_DATA, (_MAX_MEMORY, _MAX_MEMORY))
    try:
        summary = _pack(task) if task.action == "pack" else _unpack(task)
    except BrokenPipeError:
        return  # the daemon has cancelled the task
    except FileSystemError as error:
        summary = Summary(code=error.code, message=str(error), errno=error.errno or 0)
    except WireError as error:
        summary = Summary(code=error.code, message=str(error))
    except OSError as error:
        summary = Summary(
            code=FileSystemError.code, message=str(error.strerror), errno=error.errno or 0
        )
    except MemoryError:
        summary = Summary(code=InvalidArgument.code, message="a header in the archive is too large")
    os.write(STATUS_FD, msgspec.json.encode(summary))


# tarfile is imported only in the worker: it is large, and the daemon does not need it.


def _pack(task: ArchiveTask) -> Summary:
    from shellwire.files import archive

    with Root(task.root) as root:
        archive.pack(root, sys.stdout.buffer, task.kind)
    return Summary()


def _unpack(task: ArchiveTask) -> Summary:
    from shellwire.files import archive

    limits = FileLimits(max_file=task.max_file, max_upload=task.max_upload, min_free=task.min_free)
    with Root(task.root) as root:
        done = archive.unpack(
            root, sys.stdin.buffer, task.kind, task.temporary_name, limits, Hashes()
        )
    os.sync()
    return Summary(files=done.files, bytes=done.bytes)
