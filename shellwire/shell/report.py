"""Where a shell leaves its report: a file without a name, and a pipe that tells if it could not."""

from __future__ import annotations

import os
import tempfile

from shellwire.process.spawn import private_file
from shellwire.shell.shell import MAX_REPORT

UNREPORTED = b"\0unreported"
"""What ends a report of which the shell itself said that it could not write it."""


class ReportFile:
    """What a shell reports into. Our own descriptors, until it is taken."""

    def __init__(self) -> None:
        self.fd = private_file()
        try:
            self._reading, self._lost = os.pipe()
        except OSError:
            os.close(self.fd)
            raise
        os.set_blocking(self._reading, False)
        self._held = [self.fd, self._reading, self._lost]
        self._path: str | None = None

    def hand_over(self) -> int:
        """Return the pipe's end for a shell that inherits it. The caller closes it."""
        self._held.remove(self._lost)
        return self._lost

    def paths(self) -> tuple[bytes, bytes]:
        """Return the paths by which another process of this user can open the file and the pipe.

        Those of the descriptors of this process (proc_pid_fd(5)). Where there are none, the file
        gets a name of its own, which goes when it is taken; and nobody is told what is lost.
        """
        file, pipe = (f"/proc/{os.getpid()}/fd/{fd}" for fd in (self.fd, self._lost))
        if os.access(file, os.W_OK):
            return file.encode(), pipe.encode()
        named, self._path = tempfile.mkstemp(prefix="shellwire-")
        self._held.append(named)
        self.fd = named
        return os.fsencode(self._path), os.fsencode(os.devnull)

    def take(self) -> bytes:
        """Return what was reported, and give everything back. Once only."""
        try:
            report = os.pread(self.fd, min(os.fstat(self.fd).st_size, MAX_REPORT), 0)
            try:
                return report + (UNREPORTED if os.read(self._reading, 1) else b"")
            except BlockingIOError:
                return report
        finally:
            for fd in self._held:
                os.close(fd)
            if self._path is not None:
                os.unlink(self._path)
