"""A started shell as its job sees it, however it was started."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shellwire.process.input_writer import Sink
    from shellwire.process.output_reader import Source
    from shellwire.process.pty import Terminal

MAX_REPORT = 16 * 1024 * 1024
"""Bytes of a report that are read at most."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a shell's descriptors 0 to 2 are: pipes, or with ``size`` (cols, rows) a terminal."""

    stdin: bool = False
    """Whether it can be sent input; without, it reads end-of-file at once (pipes only)."""

    size: tuple[int, int] | None = None


@dataclass(slots=True)
class Shell(ABC):
    """A started shell and our ends of what it reads and writes."""

    pid: int
    tag: bytes
    token: bytes
    outputs: dict[str, Source]
    """What to read: ``stdout`` and, on pipes, ``stderr``; on a terminal the master."""
    stdin: Sink | None
    terminal: Terminal | None

    @abstractmethod
    def run(self, script: bytes) -> None:
        """Give the shell what it waits for: a dialect's script. Once only."""

    @abstractmethod
    def take_report(self) -> bytes:
        """Return what the shell reported, after it has ended. Once only."""

    @abstractmethod
    def discard(self) -> None:
        """End a shell that nobody uses, and give its descriptors back. It is still to be reaped."""

    def close(self) -> None:
        """Give back the descriptors of a shell that nobody uses."""
        self.close_input()
        self.take_report()
        for source in self.outputs.values():
            source.close()

    def close_input(self) -> None:
        """Drop what was not read of the command and its input."""
        if self.stdin is not None:
            self.stdin.close()
