"""The interface of a started shell, as its job uses it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.process.input_writer import Sink
    from shellwire.process.output_reader import Source
    from shellwire.process.pty import Terminal

MAX_REPORT = 16 * 1024 * 1024
"""Most bytes of a report that are read."""


class Stdio(msgspec.Struct, frozen=True):
    """The kind of a shell's descriptors 0 to 2: pipes, or with ``size`` (cols, rows) a terminal."""

    stdin: bool = False
    """Whether it takes input; otherwise it reads end-of-file at once (pipes only)."""

    size: tuple[int, int] | None = None


@dataclass(slots=True)
class Shell(ABC):
    """A started shell, with our ends of its pipes or terminal."""

    pid: int
    tag: bytes
    token: bytes
    outputs: dict[str, Source]
    """The sources to read: ``stdout`` and, with pipes, ``stderr``; on a terminal the master."""
    stdin: Sink | None
    terminal: Terminal | None

    @abstractmethod
    def run(self, script: bytes) -> None:
        """Send the shell the script that it waits for (see ``Dialect.script``). Once only."""

    def listen(self, ready: Callable[[], None]) -> None:  # noqa: B027 - not every shell reports
        """Call ``ready()`` from the loop when ``reported_status`` may return a status.

        Shells that don't say that their report is whole never call it.
        """

    def reported_status(self) -> int | None:
        """Return the status (0 to 255) with which the shell is about to exit, None if unknown.

        It is known when the shell has said that its report is whole, and no EXIT trap of the user's
        follows.
        """
        return None

    @abstractmethod
    def take_report(self) -> bytes:
        """Return the report of the ended shell, or of one with a status. Call it once only."""

    @abstractmethod
    def discard(self) -> None:
        """Kill an unused shell and close its descriptors. The caller must have it reaped."""

    def close(self) -> None:
        """Close the descriptors of an unused shell."""
        self.close_input()
        self.take_report()
        for source in self.outputs.values():
            source.close()

    def close_input(self) -> None:
        """Drop the unread rest of the command and its input."""
        if self.stdin is not None:
            self.stdin.close()
