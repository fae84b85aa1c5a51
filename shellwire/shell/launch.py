"""The one way a shell is started: its pipes or terminal, its state, and then its command.

A shell that was launched waits for the text to run. A cold start is one that is told at once.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.errors import SpawnError
from shellwire.process.input_writer import Feeder
from shellwire.process.kill import TAG_NAME
from shellwire.process.read import Reader
from shellwire.shell.dialect import FileDialect
from shellwire.shell.shell import Shell, Wiring

if TYPE_CHECKING or sys.platform != "win32":
    from shellwire.process.pty import Terminal, open_terminal
    from shellwire.process.spawn import private_file, spawn
    from shellwire.shell.report import ReportFile

if TYPE_CHECKING:
    from shellwire.process.read import Source
    from shellwire.shell.dialect import Dialect, Start
    from shellwire.shell.state import State


@dataclass(slots=True)
class _Waiting(Shell):
    """One that reads its command from a pipe, and reports into a file without a name."""

    _script: Feeder
    _report: ReportFile | None

    def run(self, script: bytes) -> None:
        self._script.write(script)
        self._script.finish()

    def take_report(self) -> bytes:
        if self._report is None:
            return b""
        report, self._report = self._report, None
        return report.take()

    def discard(self) -> None:
        if sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.close()

    def close_input(self) -> None:
        self._script.close()
        if self.stdin is not None:
            self.stdin.close()


def launch(dialect: Dialect, state: State, wiring: Wiring, *, tag: bytes, report: bool) -> Shell:
    """Start a shell in ``state``; it then waits for its text.

    ``tag`` is the value of the variable by which its processes are found. With ``report`` it leaves
    the state in which it ends. Raises SpawnError, or PtyUnavailable.
    """
    token = secrets.token_hex(8).encode()
    start = dialect.start(state, token, report=report)
    if isinstance(dialect, FileDialect):
        from shellwire.shell import files

        return files.prepare(dialect, state.cwd, start, wiring, tag=tag, token=token)
    theirs: list[int] = []
    ours: list[int] = []
    reported: ReportFile | None = None
    try:
        reported = ReportFile() if report else None
        return _launch(dialect, start, wiring, theirs, ours, reported, tag=tag, token=token)
    except BaseException as error:
        _close(ours)
        if reported is not None:
            reported.take()
        if isinstance(error, OSError):
            raise SpawnError(f"cannot start {dialect.path}: {error.strerror}") from error
        raise
    finally:
        _close(theirs)


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _launch(
    dialect: Dialect,
    start: Start,
    wiring: Wiring,
    theirs: list[int],
    ours: list[int],
    report: ReportFile | None,
    *,
    tag: bytes,
    token: bytes,
) -> Shell:
    """Start it. What is opened goes into ``theirs`` or ``ours`` before anything else can fail."""

    def pipe(mine: int) -> tuple[int, int]:
        # (reading, writing), as pipe(2) gives them; ``mine`` says which of the two is ours.
        ends = os.pipe()
        ours.append(ends[mine])
        theirs.append(ends[1 - mine])
        return ends

    given: dict[int, int] = {}
    outputs: dict[str, int] = {}
    stdin = tty = None
    slave = -1
    given[dialect.script_fd], script = pipe(1)
    text = start.restore
    if report is not None:
        if dialect.report_fd is None or dialect.lost_fd is None:
            text = dialect.where(*report.paths()) + text
        else:
            given[dialect.report_fd] = report.fd
            given[dialect.lost_fd] = lost = report.detach_write_end()
            theirs.append(lost)
    given[dialect.restore_fd] = restore = private_file(text)
    theirs.append(restore)
    if wiring.size is not None:
        outputs["stdout"], slave, tty = open_terminal(*wiring.size)
        ours += outputs["stdout"], slave
    else:
        if wiring.stdin:
            given[0], stdin = pipe(1)
        else:
            given[0] = null = os.open(os.devnull, os.O_RDONLY)
            theirs.append(null)
        outputs["stdout"], given[1] = pipe(0)
        outputs["stderr"], given[2] = pipe(0)
    pid = spawn(start.argv, {**start.env, TAG_NAME: tag}, given, tty=tty)
    terminal = None
    if tty is not None:
        terminal = Terminal(pid, outputs["stdout"], slave)
        sources: dict[str, Source] = {"stdout": Reader(terminal.fd, terminal.close_fd)}
        feeder: Feeder | None = Feeder(terminal.fd, owned=False)
    else:
        sources = {name: Reader(fd) for name, fd in outputs.items()}
        feeder = Feeder(stdin) if stdin is not None else None
    return _Waiting(pid, tag, token, sources, feeder, terminal, Feeder(script), report)
