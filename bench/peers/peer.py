"""What is asked of each peer, so that all do the same work."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from bench import proc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ANSWER_SECONDS = 60.0
"""What a peer gets for one answer."""


class Cannot(Exception):
    """A peer can't do this. The text is what its cell says."""


class Keys(Protocol):
    """``cat`` on a raw terminal."""

    def press(self) -> None:
        """Send one key and wait for its echo."""


@dataclass(frozen=True)
class Batch:
    """Commands to run one after the other.

    ``pace`` is the seconds before each; with ``keep`` each must see what those before it have left;
    after ``budget`` seconds no more are begun.
    """

    commands: Sequence[str]
    pace: float = 0.0
    keep: bool = False
    budget: float = 10.0

    def run(self, one: Callable[[str], object]) -> list[float]:
        """Give each command to ``one`` in turn. Returns the seconds that each took."""
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


def whole(came: int, size: int) -> None:
    """Hold a peer to sending all of an output.

    Raises:
        RuntimeError: less came than the bare pipe or terminal has carried.
    """
    if came < size:
        raise RuntimeError(f"{came} of {size} bytes came")


class Peer(ABC):
    """One way to run commands. What a peer can't do raises Cannot.

    Making it prepares all that isn't measured (its environment, keys, directories); ``start`` is
    measured; ``close`` ends all that it has started, whatever has happened before.
    """

    name: str
    notes: ClassVar[dict[str, str]] = {}
    """What has to be said about a figure, by the key of its line."""

    @abstractmethod
    def version(self) -> str:
        """Return its version. Called when it has started."""

    @abstractmethod
    def start(self) -> None:
        """Start its server and connect, ready for a command."""

    @abstractmethod
    def close(self) -> None:
        """Stop what runs, and remove what was prepared."""

    @abstractmethod
    def pids(self) -> list[int]:
        """Return the processes of its server, without the shells that it runs."""

    def run(self, batch: Batch) -> list[float]:
        """Run the commands, each of which must exit with 0. Returns the seconds of each."""
        raise Cannot("a terminal only")

    def at_once(self, lanes: int, times: int) -> float:
        """Run ``:`` in ``lanes`` lanes, ``times`` times in each. Returns commands a second."""
        raise Cannot("a terminal only")

    def output(self, command: str, size: int) -> float:
        """Return the seconds until a command's output, ``size`` bytes, has come through a pipe."""
        raise Cannot("a terminal only")

    def terminal(self, command: str, size: int) -> float:
        """Return the seconds until its output has come through a terminal."""
        raise Cannot("no terminal")

    def keys(self) -> Keys:
        """Start ``cat`` on a raw terminal."""
        raise Cannot("no raw terminal")

    def flood(self) -> None:
        """Start two ``yes`` and never read what they write."""
        raise Cannot("does not stream")

    def rss(self) -> int:
        """Return the resident memory of its server in bytes."""
        return proc.rss(self.pids())
