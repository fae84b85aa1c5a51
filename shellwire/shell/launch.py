"""Launch shells: with pipes or a terminal, in a given state, ready for one command.

A launched shell waits for the text to run. Every shell is started this way; without a pooled shell
the new one gets its text at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.errors import SpawnError
from shellwire.process.input_writer import InputWriter
from shellwire.process.kill import TAG_NAME
from shellwire.process.output_reader import Reader
from shellwire.process.poller import running_poller
from shellwire.shell.dialect import FileDialect, last_line_status
from shellwire.shell.shell import Shell, Stdio

if TYPE_CHECKING or sys.platform != "win32":
    from shellwire.process.pty import Terminal, open_terminal
    from shellwire.process.spawn import private_file, spawn
    from shellwire.shell.report import ReportFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.process.output_reader import Source
    from shellwire.shell.dialect import Dialect, Start
    from shellwire.shell.state import State


@dataclass(slots=True)
class _WaitingShell(Shell):
    """A shell that reads its command from a pipe, and reports into an unnamed file."""

    _dialect: Dialect
    _script: InputWriter
    _report: ReportFile | None

    def run(self, script: bytes) -> None:
        self._script.write(script)
        self._script.finish()

    def listen(self, ready: Callable[[], None]) -> None:
        if self._report is not None:
            self._report.listen(ready)

    def reported_status(self) -> int | None:
        if self._report is None:
            return None
        status = last_line_status(self._report.line, self.token)
        if status is None:
            return None
        report = self._report.read()
        if not self._dialect.is_final(report, self.token):
            return None
        self._report.final = report
        return status

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


def launch(dialect: Dialect, state: State, stdio: Stdio, *, tag: bytes, report: bool) -> Shell:
    """Start a shell in ``state``; it then waits for the text to run.

    ``tag`` is the value of the variable that marks its processes. With ``report`` the shell reports
    its state at the end. Raises SpawnError or PtyUnavailable.
    """
    token = os.urandom(8).hex().encode()
    start = dialect.start(state, token, report=report)
    if isinstance(dialect, FileDialect):
        from shellwire.shell import file_shell

        return file_shell.prepare(dialect, state.cwd, start, stdio, tag=tag, token=token)
    theirs: list[int] = []
    ours: list[int] = []
    reported: ReportFile | None = None
    try:
        reported = ReportFile() if report else None
        return _launch(dialect, start, stdio, theirs, ours, reported, tag=tag, token=token)
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
    stdio: Stdio,
    theirs: list[int],
    ours: list[int],
    report: ReportFile | None,
    *,
    tag: bytes,
    token: bytes,
) -> Shell:
    """Start the shell. Each opened descriptor is added to ``theirs`` or ``ours`` at once."""

    def pipe(mine: int) -> tuple[int, int]:
        # Returns (reading, writing), as pipe(2); ``mine`` is the index of our end.
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
            text = dialect.report_paths(*report.paths()) + text
        else:
            given[dialect.report_fd] = report.fd
            given[dialect.lost_fd] = lost = report.detach_write_end()
            theirs.append(lost)
    given[dialect.restore_fd] = restore = private_file(text)
    theirs.append(restore)
    if stdio.size is not None:
        outputs["stdout"], slave, tty = open_terminal(*stdio.size)
        ours += outputs["stdout"], slave
    else:
        if stdio.stdin:
            given[0], stdin = pipe(1)
        else:
            # Each shell's own: a lock on it, flock(2), ends with the processes that have it open.
            given[0] = null = os.open(os.devnull, os.O_RDONLY)
            theirs.append(null)
        outputs["stdout"], given[1] = pipe(0)
        outputs["stderr"], given[2] = pipe(0)
    pid = spawn(start.argv, {**start.env, TAG_NAME: tag}, given, tty=tty)
    terminal = None
    poller = running_poller()
    if tty is not None:
        terminal = Terminal(pid, outputs["stdout"], slave)
        sources: dict[str, Source] = {"stdout": Reader(terminal.fd, poller, terminal.close_fd)}
        writer: InputWriter | None = InputWriter(terminal.fd, owned=False)
    else:
        sources = {name: Reader(fd, poller) for name, fd in outputs.items()}
        writer = InputWriter(stdin) if stdin is not None else None
    script_writer = InputWriter(script)
    return _WaitingShell(pid, tag, token, sources, writer, terminal, dialect, script_writer, report)
