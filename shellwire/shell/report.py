"""Receive a shell's report: an unnamed file, and a pipe with the shell's last line.

The line says that the report is whole. Instead, a byte ``x`` says that it could not be written.
"""

from __future__ import annotations

import os
import tempfile
from functools import partial
from typing import TYPE_CHECKING

from shellwire.process.poller import running_poller
from shellwire.process.spawn import private_file
from shellwire.shell.dialect import MAX_LAST_LINE, UNREPORTED
from shellwire.shell.shell import MAX_REPORT

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.process.poller import Poller

_LOST = b"x"
_CHUNK = 4096


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
        self._poller: Poller | None = None
        self.final: bytes | None = None
        """The report, once it is known to be whole and nothing can follow."""
        self.line = b""
        """What the shell has written to the pipe so far, at most MAX_LAST_LINE + 1 bytes."""

    def detach_write_end(self) -> int:
        """Return the pipe's write end, for a shell to inherit. The caller must close it."""
        self._fds.remove(self._write_end)
        return self._write_end

    def paths(self) -> tuple[bytes, bytes]:
        """Return the paths by which another process of this user can open the file and the pipe.

        They lead to this process's descriptors (proc_pid_fd(5)). On a system without such paths the
        file is a named one, which ``take`` deletes, and nothing arrives in the pipe.
        """
        file, pipe = (f"/proc/{os.getpid()}/fd/{fd}" for fd in (self.fd, self._write_end))
        if os.access(file, os.W_OK):
            return file.encode(), pipe.encode()
        named, self._path = tempfile.mkstemp(prefix="shellwire-")
        self._fds.append(named)
        self.fd = named
        return os.fsencode(self._path), os.fsencode(os.devnull)

    def listen(self, ready: Callable[[], None]) -> None:
        """Call ``ready()`` from the event loop when ``line`` may be the shell's last line.

        Whatever else arrives is read and dropped: a full pipe would block the shell at its end.
        """
        self._poller = running_poller()
        self._poller.watch(self._read_end, partial(self._hear, ready))

    def _hear(self, ready: Callable[[], None]) -> None:
        try:
            said = os.read(self._read_end, _CHUNK)
        except BlockingIOError:
            return
        if not said:
            # The last writer has gone, and says nothing by that: the exit decides.
            self._ignore()
            return
        self.line = (self.line + said)[: MAX_LAST_LINE + 1]
        if self.line.endswith(b"\n"):
            ready()

    def _ignore(self) -> None:
        if self._poller is not None:
            self._poller.forget(self._read_end)
            self._poller = None

    def read(self) -> bytes:
        """Return what the file holds now."""
        return os.pread(self.fd, min(os.fstat(self.fd).st_size, MAX_REPORT), 0)

    def take(self) -> bytes:
        """Return the report and close all descriptors. Once only.

        UNREPORTED is appended if the shell could not write its report.
        """
        try:
            if self.final is not None:
                return self.final
            return self.read() + (UNREPORTED if _LOST in self._last_words() else b"")
        finally:
            self._ignore()
            for fd in self._fds:
                os.close(fd)
            if self._path is not None:
                os.unlink(self._path)

    def _last_words(self) -> bytes:
        if self.line:
            return self.line
        try:
            return os.read(self._read_end, MAX_LAST_LINE)
        except BlockingIOError:
            return b""
