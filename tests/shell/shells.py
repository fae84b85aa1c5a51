"""Start shells as the daemon does, but without one: run a command, and read its report."""

from __future__ import annotations

import contextlib
import os
import threading
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from shellwire.process.spawn import private_file, spawn
from shellwire.shell.report import ReportFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shellwire.shell.dialect import Dialect, Report
    from shellwire.shell.state import State

TOKEN = b"0123456789abcdef"

POSIX_SHELLS = [pytest.param(name, marks=pytest.mark.needs(name)) for name in ("dash", "ash")]
SHELLS = ["bash", *POSIX_SHELLS]
"""The supported shells; tests of a missing POSIX shell are skipped by name."""


@dataclass(frozen=True)
class Ended:
    """How a shell ended: its status (a negative signal), its output and its report."""

    status: int
    out: bytes
    err: bytes
    report: bytes = b""


def _spawn(
    argv: Sequence[bytes],
    env: dict[bytes, bytes],
    given: dict[int, bytes | int],
    script: tuple[int, bytes] | None = None,
) -> Ended:
    with ExitStack() as opened:

        def file(content: bytes = b"") -> int:
            fd = private_file(content)
            opened.callback(os.close, fd)
            return fd

        stdin, out, err = os.open(os.devnull, os.O_RDONLY), file(), file()
        opened.callback(os.close, stdin)
        files = {
            number: content if isinstance(content, int) else file(content)
            for number, content in given.items()
        }
        pipes = {}
        if script is not None:
            pipes[script[0]], writing = os.pipe()
            threading.Thread(target=_write, args=(writing, script[1])).start()
        pid = spawn(argv, env, {0: stdin, 1: out, 2: err, **files, **pipes})
        for fd in pipes.values():
            os.close(fd)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

        def read(fd: int) -> bytes:
            return os.pread(fd, os.fstat(fd).st_size, 0)

        return Ended(status, read(out), read(err))


def _write(fd: int, content: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), open(fd, "wb") as pipe:
        pipe.write(content)


def run(dialect: Dialect, state: State, command: bytes) -> Ended:
    """Run ``command`` in a shell that starts in ``state``."""
    start = dialect.start(state, TOKEN, report=True)
    report = ReportFile()
    restore, given = start.restore, dict[int, bytes | int]()
    try:
        if dialect.report_fd is None or dialect.lost_fd is None:
            restore = dialect.report_paths(*report.paths()) + restore
        else:
            given = {
                dialect.report_fd: report.fd,
                dialect.lost_fd: (lost := report.detach_write_end()),
            }
        ended = _spawn(
            start.argv,
            dict(start.env),
            {dialect.restore_fd: restore, **given},
            script=(dialect.script_fd, dialect.script(b"", command)),
        )
        if given:
            os.close(lost)
    finally:
        left = report.take()
    return replace(ended, report=left)


def run_plainly(shell: str, state: State, command: bytes) -> Ended:
    """Run ``command`` by ``shell -c``: the reference for our own way."""
    env = {**state.environment(), b"PWD": state.cwd}
    return _spawn((shell.encode(), b"-c", command), env, {})


def left(dialect: Dialect, ended: Ended) -> Report | None:
    """Return the parsed report, or None."""
    payload = dialect.payload(ended.report, TOKEN)
    return None if payload is None else dialect.parse(payload)


def after(dialect: Dialect, state: State, command: bytes) -> State:
    """Run a command that must give a complete report, and return the state in it."""
    ended = run(dialect, state, command)
    report = left(dialect, ended)
    assert report is not None, ended
    assert report.whole, ended
    return report.state


__all__ = ["POSIX_SHELLS", "SHELLS", "TOKEN", "Ended", "after", "left", "run", "run_plainly"]
