"""Translation of operating system errors into wire errors."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from shellwire.errors import (
    FileSystemError,
    InvalidArgument,
    IsDirectory,
    NotDirectory,
    NotFile,
    NotFound,
)
from shellwire.output import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_ECHO = 200


def shown(path: bytes) -> str:
    """Return ``path`` for display: one line, at most 200 characters."""
    text = printable(path.decode(errors="surrogateescape"))
    return text if len(text) <= _LONGEST_ECHO else f"{text[:_LONGEST_ECHO]}…"


@contextlib.contextmanager
def translate_os_errors(path: bytes) -> Iterator[None]:
    """Turn an OSError of the block into a wire error that names ``path``."""
    try:
        yield
    except FileNotFoundError:
        raise NotFound(f"{shown(path)}: there is no such file or directory") from None
    except NotADirectoryError:
        raise NotDirectory(f"{shown(path)}: not a directory") from None
    except IsADirectoryError:
        raise IsDirectory(f"{shown(path)}: is a directory") from None
    except OSError as error:
        raise _translated(path, error) from None


def _translated(path: bytes, error: OSError) -> FileSystemError | InvalidArgument | NotFile:
    if error.errno == errno.ENAMETOOLONG:
        return InvalidArgument(f"{shown(path)}: the name is too long")
    if error.errno == errno.ENXIO:
        # The file was replaced by a socket or by a FIFO without a reader (open(2)).
        return NotFile(f"{shown(path)}: not a regular file")
    return os_problem(path, error.errno or 0)


def os_problem(path: bytes, number: int) -> FileSystemError:
    """Return the error for errno ``number``."""
    reason = os.strerror(number) if number else "input or output failed"
    problem = FileSystemError(f"{shown(path)}: {reason[0].lower()}{reason[1:]}")
    problem.errno = number or None
    return problem
