"""Start a shell that can't inherit descriptors: text, command and report are files.

The files are in a directory of their own, which only this user can read, and are removed with the
shell. The process starts only with its command, for such a shell can't wait for one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shellwire.errors import PtyUnavailable, SpawnError
from shellwire.process import portable
from shellwire.process.kill import TAG_NAME
from shellwire.shell.shell import MAX_REPORT, Shell

if TYPE_CHECKING:
    from shellwire.shell.dialect import FileDialect, Start
    from shellwire.shell.shell import Stdio


@dataclass(slots=True)
class _FileShell(Shell):
    dialect: FileDialect
    start: Start
    cwd: bytes
    has_stdin: bool
    directory: Path | None = None

    def run(self, script: bytes) -> None:
        """Start the shell with its command. Raises SpawnError."""
        try:
            self._start(script)
        except BaseException:
            self.take_report()
            raise

    def _start(self, script: bytes) -> None:
        try:
            self.directory = Path(tempfile.mkdtemp(prefix="shellwire-"))
            text = self.directory / self.dialect.text_file
            text.write_bytes(self.start.restore)
            (self.directory / self.dialect.command_file).write_bytes(script)
        except OSError as error:
            raise SpawnError(f"cannot write a command's text: {error.strerror}") from error
        env = {os.fsdecode(name): os.fsdecode(value) for name, value in self.start.env.items()}
        env[os.fsdecode(TAG_NAME)] = os.fsdecode(self.tag)
        command = self.dialect.command_line(str(text))
        child = portable.start(command, env, os.fsdecode(self.cwd), stdin=self.has_stdin)
        self.pid, self.stdin = child.pid, child.stdin
        self.outputs.update(child.outputs)

    def take_report(self) -> bytes:
        """Return the report of the ended shell, and remove its files. Call it once only."""
        if self.directory is None:
            return b""
        directory, self.directory = self.directory, None
        try:
            with (directory / self.dialect.report_file).open("rb") as report:
                return report.read(MAX_REPORT)
        except OSError:
            return b""
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def discard(self) -> None:
        """Close the shell; without a command no process was started."""
        self.close()


def prepare(
    dialect: FileDialect, cwd: bytes, start: Start, stdio: Stdio, *, tag: bytes, token: bytes
) -> Shell:
    """Return a shell that starts in ``cwd`` when it gets its command.

    Raises PtyUnavailable if ``stdio`` is a terminal.
    """
    if stdio.size is not None:
        raise PtyUnavailable("there are no pseudo-terminals here: use pipes")
    return _FileShell(0, tag, token, {}, None, None, dialect, start, cwd, stdio.stdin)
