"""Receive a shell's report: an unnamed file, and a pipe that signals a failed write."""

from __future__ import annotations

import os
import tempfile

from shellwire.process.spawn import private_file
from shellwire.shell.dialect import UNREPORTED
from shellwire.shell.shell import MAX_REPORT


class ReportFile:
    """The file and the pipe for one report. Owns their descriptors until ``take``."""

    def __init__(self) -> None:
        self.fd = private_file()
        try:
            self._read_end, self._write_end = os.pipe()
        except OSError:
            os.close(self.fd)
            raise
        os.set_blocking(self._read_end, False)
        self._fds = [self.fd, self._read_end, self._write_end]
        self._path: str | None = None

    def detach_write_end(self) -> int:
        """Return the pipe's write end, for a shell to inherit. The caller must close it."""
        self._fds.remove(self._write_end)
        return self._write_end

    def paths(self) -> tuple[bytes, bytes]:
        """Return the paths by which another process of this user can open the file and the pipe.

        They lead to this process's descriptors (proc_pid_fd(5)). On a system without such paths the
        file is a named one, which ``take`` deletes, and a failed write is not signalled.
        """
        file, pipe = (f"/proc/{os.getpid()}/fd/{fd}" for fd in (self.fd, self._write_end))
        if os.access(file, os.W_OK):
            return file.encode(), pipe.encode()
        named, self._path = tempfile.mkstemp(prefix="shellwire-")
        self._fds.append(named)
        self.fd = named
        return os.fsencode(self._path), os.fsencode(os.devnull)

    def take(self) -> bytes:
        """Return the report and close all descriptors. Once only.

        UNREPORTED is appended if the shell could not write its report.
        """
        try:
            report = os.pread(self.fd, min(os.fstat(self.fd).st_size, MAX_REPORT), 0)
            try:
                return report + (UNREPORTED if os.read(self._read_end, 1) else b"")
            except BlockingIOError:
                return report
        finally:
            for fd in self._fds:
                os.close(fd)
            if self._path is not None:
                os.unlink(self._path)
