"""Pseudo-terminals: ptyprocess holds the master, and a child is started on the slave.

``PtyProcess.spawn`` forks the interpreter. Here the pair is opened first, and posix_spawn starts
the child on the slave, so that no Python code runs between fork and exec.
"""

from __future__ import annotations

import contextlib
import os
import termios
from typing import Any

from ptyprocess import PtyProcess

from shellwire.errors import PtyUnavailable


def open_terminal(cols: int, rows: int) -> tuple[int, int, str]:
    """Return the master, the slave and the slave's path of a new terminal of that size.

    The master does not block. Raises PtyUnavailable.
    """
    try:
        # Not pty.openpty: it also tries device names that no system has any more.
        master, slave = os.openpty()
    except OSError as error:
        raise PtyUnavailable(f"no pseudo-terminal: {error.strerror}") from error
    try:
        os.set_blocking(master, False)
        termios.tcsetwinsize(slave, (rows, cols))
        return master, slave, os.ttyname(slave)
    except (OSError, termios.error) as error:
        os.close(master)
        os.close(slave)
        raise PtyUnavailable(f"no usable pseudo-terminal: {error}") from error


class Terminal:
    """The master of a child's terminal, and also the slave while the child runs.

    Once no process has the slave open, reading the master fails and the descriptor stays readable
    (pty(7)). But a child that redirects its streams has not ended: so the slave is held open here
    until ``release``. It was opened with O_NOCTTY, and is close-on-exec.
    """

    def __init__(self, pid: int, master: int, slave: int) -> None:
        self.fd = master
        self._pty = PtyProcess(pid, master)
        self._slave = slave

    def resize(self, cols: int, rows: int) -> None:
        """Set the window size in characters; the foreground process group gets SIGWINCH."""
        self._pty.setwinsize(rows, cols)

    def size(self) -> tuple[int, int]:
        """Return (cols, rows)."""
        rows, cols = self._pty.getwinsize()
        return cols, rows

    def eof(self, last: bytes) -> bytes:
        """Return the bytes that make the reader see end-of-file after ``last`` (termios(3), VEOF).

        After an unfinished line these are two: the first VEOF ends the line, the second is
        end-of-file. Empty if the terminal is gone.
        """
        modes = self._modes()
        if modes is None:
            return b""
        character = bytes(modes[6][termios.VEOF])
        ends = {b"", b"\n", character}
        if modes[0] & termios.ICRNL:
            ends.add(b"\r")
        return character if last in ends else character * 2

    def is_canonical(self) -> bool | None:
        """Whether input is read line by line, so that VEOF has its meaning (termios(3), ICANON).

        None if the terminal is gone.
        """
        modes = self._modes()
        return None if modes is None else bool(modes[3] & termios.ICANON)

    def _modes(self) -> list[Any] | None:
        try:
            return None if self.fd < 0 else termios.tcgetattr(self.fd)
        except termios.error:  # not an OSError
            return None

    def foreground_group(self) -> int | None:
        """Return the id of the foreground process group, or None when there is none."""
        try:
            group = os.tcgetpgrp(self.fd)  # -1 gives EBADF
        except OSError:
            return None
        return group if group > 0 else None

    def release(self) -> None:
        """Close the slave: the master then reads end-of-file once no process has it open."""
        if self._slave >= 0:
            slave, self._slave = self._slave, -1
            os.close(slave)

    def close_fd(self, _fd: int) -> None:
        """Close the master, which is ``_fd``; its foreground process group gets SIGHUP."""
        self.release()
        if not self._pty.closed:
            # Not PtyProcess.close(), which sleeps and sends signals: kill.end does that.
            self._pty.closed = True
            # The number may soon be another file's: no later call may use it.
            self.fd = self._pty.fd = -1
            with contextlib.suppress(OSError):
                self._pty.fileobj.close()
