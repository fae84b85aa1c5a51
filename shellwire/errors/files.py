"""Errors of file operations that the daemon sends as an ``error`` message."""

from __future__ import annotations

from shellwire.errors.wire import WireError


class FileProblem(WireError):
    """An operation on a file or a directory failed."""


class NotDirectory(FileProblem):
    """The path is not a directory, as was expected."""

    code = "NOT_DIRECTORY"


class NotFile(FileProblem):
    """The path is not a regular file, as was expected, but a directory, a FIFO or a device."""

    code = "NOT_FILE"


class IsDirectory(FileProblem):
    """A file can't be written because the path is a directory."""

    code = "IS_DIRECTORY"


class InvalidArgument(FileProblem):
    """An argument makes no sense, or exceeds a limit; the message says which."""

    code = "INVALID_ARGUMENT"


class PathEscape(FileProblem):
    """The path leads out of its root: by ``..``, as an absolute path, or through a symlink."""

    code = "PATH_ESCAPE"


class Conflict(FileProblem):
    """The file is not the version that the writer expects; it is unchanged."""

    code = "CONFLICT"


class InvalidRegex(FileProblem):
    """The search pattern is not a valid regular expression."""

    code = "INVALID_REGEX"


class UploadNotFound(FileProblem):
    """The connection has no upload with this id: it has ended, or never existed."""

    code = "UPLOAD_NOT_FOUND"


class FileSystemError(FileProblem):
    """The operating system reported an error; ``errno`` is its number, if there is one."""

    code = "FS_OS_ERROR"
    errno: int | None = None
