"""``shellwire`` on a terminal: type keys, and wait until some text appears."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pexpect

from tests.live import PATIENCE

if TYPE_CHECKING:
    from typing import Self

    from tests.cli.command_line import CommandLine


class Terminal:
    """A terminal of ``cols`` × ``rows`` in which ``shellwire`` runs."""

    def __init__(self, cli: CommandLine, *arguments: str, cols: int = 100, rows: int = 30) -> None:
        self.begin(cli, [sys.executable, "-m", "shellwire", *arguments], cols, rows)

    def begin(self, cli: CommandLine, command: list[str], cols: int, rows: int) -> None:
        """Start a command on the terminal."""
        self.child = pexpect.spawn(
            command[0],
            command[1:],
            env={**cli.environment, "PS1": "> ", "TERM": "xterm"},
            dimensions=(rows, cols),
            timeout=PATIENCE,
        )
        self.child.delaybeforesend = None
        self.child.delayafterclose = self.child.delayafterterminate = 0.01

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.close(force=True)

    def type(self, text: str) -> None:
        """Press keys."""
        self.child.send(text)

    def sees(self, text: str | bytes) -> bytes:
        """Wait until ``text`` appears; return the output before it."""
        self.child.expect_exact(text)
        before: bytes = self.child.before
        return before

    def does(self, command: str, answer: str) -> None:
        """Type a line, and wait until it prints ``answer``, which its echo must not contain."""
        assert answer not in command
        self.type(f"{command}\r")
        self.sees(answer)

    def exits(self) -> int:
        """Wait until the program has ended; return its exit code, negative for a signal."""
        self.rest: bytes = self.child.expect(pexpect.EOF) or self.child.before
        self.child.wait()
        return int(
            self.child.exitstatus if self.child.exitstatus is not None else -self.child.signalstatus
        )
