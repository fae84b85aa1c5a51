"""The interface of each peer, so that all do the same work."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from bench import proc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ANSWER_SECONDS = 60.0
"""Seconds that a peer has for one answer."""


class Unsupported(Exception):
    """A peer can't do this. The text stands in its cell."""


class Keys(Protocol):
    """``cat`` on a raw terminal."""

    def press(self) -> None:
        """Send one key and wait for its echo."""


@dataclass(frozen=True)
class Batch:
    """Commands to run one after the other.

    ``pace`` is the pause before each, in seconds. With ``keep_state`` each command must see the
    state that the earlier ones have set. After ``budget`` seconds no further command starts.
    """

    commands: Sequence[str]
    pace: float = 0.0
    keep_state: bool = False
    budget: float = 10.0

    def run(self, one: Callable[[str], object]) -> list[float]:
        """Call ``one`` with each command. Returns the seconds that each took."""
        taken = []
        until = time.monotonic() + self.budget
        for command in self.commands:
            if self.pace:
                time.sleep(self.pace)
            begun = time.perf_counter()
            one(command)
            taken.append(time.perf_counter() - begun)
            if time.monotonic() > until:
                break
        return taken


def require_bytes(received: int, size: int) -> None:
    """Check that a peer has sent all output.

    Raises:
        RuntimeError: fewer bytes arrived than through the bare pipe or terminal.
    """
    if received < size:
        raise RuntimeError(f"{received} of {size} bytes arrived")


class Peer(ABC):
    """One way to run commands. An operation that a peer can't do raises Unsupported.

    The constructor prepares everything that isn't measured (environment, keys, directories).
    ``start`` is measured. ``close`` ends all started processes, whatever happened before.
    """

    name: str
    notes: ClassVar[dict[str, str]] = {}
    """Notes on the peer's figures, by the key of the line."""

    @abstractmethod
    def version(self) -> str:
        """Return the peer's version. Called after ``start``."""

    @abstractmethod
    def start(self) -> None:
        """Start the server and connect, ready for a command."""

    @abstractmethod
    def close(self) -> None:
        """Stop all processes, and remove the prepared files."""

    @abstractmethod
    def pids(self) -> list[int]:
        """Return the pids of the server's processes, without the shells that it runs."""

    def run(self, batch: Batch) -> list[float]:
        """Run the commands, each of which must exit with 0. Returns the seconds of each."""
        raise Unsupported("a terminal only")

    def at_once(self, lanes: int, times: int) -> float:
        """Run ``:`` in ``lanes`` lanes, ``times`` times in each. Returns commands per second."""
        raise Unsupported("a terminal only")

    def output(self, command: str, size: int) -> float:
        """Return the seconds until a command's output, ``size`` bytes, has passed a pipe."""
        raise Unsupported("a terminal only")

    def terminal(self, command: str, size: int) -> float:
        """Return the seconds until a command's output, ``size`` bytes, has passed a terminal."""
        raise Unsupported("no terminal")

    def keys(self) -> Keys:
        """Start ``cat`` on a raw terminal."""
        raise Unsupported("no raw terminal")

    def flood(self) -> None:
        """Start two ``yes`` and never read their output."""
        raise Unsupported("does not stream")

    def rss(self) -> int:
        """Return the resident memory of the server in bytes."""
        return proc.rss(self.pids())
