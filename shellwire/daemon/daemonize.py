"""Start the daemon in the background by a double fork, and report whether it started.

The classic double fork (Stevens, *Advanced Programming in the UNIX Environment*, §13.3): the
child leads a session of its own, without a terminal, and the grandchild can never get one. It
happens before asyncio and aiohttp are imported, while this process has one thread and nothing
that two processes must not share. The daemon reports to the parent by a pipe.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import sys
import time
from typing import TYPE_CHECKING, NoReturn

from shellwire.daemon.report import START_SECONDS, Reporter, Started, check_health, read_report
from shellwire.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shellwire.home.paths import Home
    from shellwire.home.settings import Settings

_REPORT = 3


def start_detached(home: Home, settings: Settings, *, start_cwd: str) -> Started:
    """Start a daemon in the background; return once it answers ``/health``.

    Raises StartError, with the daemon's own reason, if the start fails.
    """
    # Otherwise each of the processes would write the buffered text.
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    reader, writer = os.pipe()
    starter = os.getpid()
    try:
        child = os.fork()
        if child == 0:
            _detach(home, settings, start_cwd, writer, starter)
        os.close(writer)
        os.waitpid(child, 0)
        started = _await_report(reader, home)
    except OSError as error:
        raise StartError(f"can't start a process: {error.strerror}") from error
    finally:
        os.close(reader)
    return check_health(started, home)


def _await_report(reader: int, home: Home) -> Started:
    deadline = time.monotonic() + START_SECONDS
    line = b""
    while not line.endswith(b"\n"):
        if not select.select([reader], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise StartError(
                f"the daemon has not started within {START_SECONDS:g} s; see {home.log_file}"
            )
        read = os.read(reader, 65536)
        if not read:
            raise StartError(f"the daemon ended before it was ready; see {home.log_file}")
        line += read
    return read_report(line)


def _detach(home: Home, settings: Settings, start_cwd: str, writer: int, starter: int) -> NoReturn:
    """Leave terminal, session and directory, and run the daemon. The umask stays."""
    code = 1
    try:
        os.setsid()
        if os.fork() == 0:
            _replace_descriptors(writer)
            code = Reporter(_REPORT).serve(home, settings, start_cwd=start_cwd, starter=starter)
        else:
            code = 0
    finally:
        # Not sys.exit: the parent's exit handlers must not run here too.
        os._exit(code)


def _replace_descriptors(writer: int) -> None:
    os.chdir("/")
    # Move the pipe first: if a standard descriptor was closed, the pipe took its number.
    report = fcntl.fcntl(writer, fcntl.F_DUPFD_CLOEXEC, _REPORT + 1)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.dup2(report, _REPORT, inheritable=False)
    for descriptor in _open_descriptors():
        if descriptor > _REPORT:
            with contextlib.suppress(OSError):  # listdir's own descriptor is closed by now
                os.close(descriptor)


def _open_descriptors() -> Iterable[int]:
    try:
        return [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        return range(os.sysconf("SC_OPEN_MAX"))
