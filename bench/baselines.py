"""The baselines for bytes and keystrokes: a bare pipe and a bare terminal, without a daemon."""

from __future__ import annotations

import os
import pty
import subprocess
import time
import tty
from typing import NamedTuple

_CHUNK = 1 << 16


class Transfer(NamedTuple):
    """A completed transfer of output."""

    size: int
    seconds: float

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return self.size / self.seconds


def pipe(command: str) -> Transfer:
    """Read the output of ``command`` through a pipe."""
    begun = time.perf_counter()
    process = subprocess.Popen(["/bin/bash", "-c", command], stdout=subprocess.PIPE, bufsize=0)
    assert process.stdout is not None
    total = 0
    with process.stdout as end:
        while chunk := os.read(end.fileno(), _CHUNK):
            total += len(chunk)
    process.wait()
    return Transfer(total, time.perf_counter() - begun)


def terminal(command: str) -> Transfer:
    """Read the output of ``command`` through a terminal."""
    begun = time.perf_counter()
    master, slave = pty.openpty()
    process = subprocess.Popen(
        ["/bin/bash", "-c", command], stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    total = 0
    while True:
        try:
            total += len(os.read(master, _CHUNK))
        except OSError:  # EIO: no process has the other side open any more
            break
    process.wait()
    os.close(master)
    return Transfer(total, time.perf_counter() - begun)


class Keys:
    """``cat`` on a raw terminal, without a daemon."""

    def __init__(self) -> None:
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        self._process = subprocess.Popen(["cat"], stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)

    def press(self) -> None:
        """Send one key and wait for its echo."""
        os.write(self._master, b"x")
        os.read(self._master, 1)

    def __enter__(self) -> Keys:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)
