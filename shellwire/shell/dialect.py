"""What every dialect of shell has in common: how one is started, told what to run, and read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from shellwire.process.kill import TAG_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shellwire.shell.state import State, Variable

WITHHELD = frozenset({b"SHLVL", b"SHELLOPTS", b"BASHOPTS", b"BASH_ENV", b"PWD", b"OLDPWD", b"_"})
"""Variables that no shell is started with: they rise, set options, or are the shell's to say."""

SECRETS = frozenset({TAG_NAME, b"SHELLWIRE_TOKEN", b"SHELLWIRE_URL"})
"""Variables of the daemon that are in no context and, but for the tag, in no child."""

CD_FAILED = b"cd"
"""What the report holds instead of a state when the working directory can't be entered."""

# One string of an environment may not pass 128 KiB (execve(2), MAX_ARG_STRLEN): longer ones are
# restored by the shell itself.
LONGEST_STRING = 128 * 1024 - 1


@dataclass(frozen=True, slots=True)
class Start:
    """How to start a shell: ``argv[0]`` is its path, ``restore`` the text for its restore_fd."""

    argv: tuple[bytes, ...]
    env: Mapping[bytes, bytes]
    restore: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """The state that a shell left.

    ``unknown`` are variables of which it can't say anything. Unless ``whole``, the shell could not
    restore all that it was to start from, so what is missing was not removed by the command.
    """

    state: State
    unknown: frozenset[bytes] = frozenset()
    whole: bool = True


class CannotEnter(Exception):
    """The shell could not enter the directory that it was to start in."""


class Dialect(ABC):
    """One kind of shell, and the descriptors on which it expects what it is given."""

    is_posix: ClassVar[bool] = True
    """Whether ``&&`` and ``&`` mean what POSIX says, and a shell can wait for its command."""

    probe: ClassVar[bytes] = (
        b"probe () { SHELLWIRE_PROBE=it\\'s; export SHELLWIRE_PROBE; cd /dev; exit 3; }\nprobe"
    )
    """What a shell that can't be used would get wrong; ``find`` knows what it comes to."""

    report_fd: ClassVar[int | None] = None
    """A file without a name, in which it leaves its report. None: it is told a path to open."""

    lost_fd: ClassVar[int | None] = None
    """A pipe that it writes to if it can't report. None: it is told a path to open."""

    script_fd: ClassVar[int]
    """A pipe from which it reads the command's text, until its end."""

    restore_fd: ClassVar[int]
    """A file without a name, from which it reads what it starts from."""

    def __init__(self, path: str) -> None:
        self.path = path

    @abstractmethod
    def start(self, state: State, token: bytes, *, report: bool) -> Start:
        """Return how to start a shell in ``state`` that then runs the text on script_fd.

        With ``report`` it leaves a report between two ``token`` when it ends.
        """

    @abstractmethod
    def patch(self, have: State, want: State, token: bytes) -> bytes | None:
        """Return the text that turns a shell started in ``have`` into one started in ``want``.

        None where that can't be done so that no command could tell, or costs more than a shell.
        """

    def where(self, report: bytes, lost: bytes) -> bytes:
        """Return the text that tells a shell without report_fd and lost_fd the paths to open."""
        return b""

    @abstractmethod
    def script(self, patch: bytes, text: bytes) -> bytes:
        """Return what a waiting shell is told: to change by ``patch``, then to run ``text``."""

    @abstractmethod
    def payload(self, report: bytes, token: bytes) -> bytes | None:
        """Return the part of a report that tells two states apart, or None if it is not whole.

        Raises CannotEnter when the command never ran for want of its directory.
        """

    @abstractmethod
    def parse(self, payload: bytes) -> Report | None:
        """Return what ``payload`` says, or None when it can't be understood."""

    @abstractmethod
    def reports(self, name: bytes, variable: Variable) -> bool:
        """Whether a report would name this variable."""

    @abstractmethod
    def become(self, program: str, *, interactive: bool) -> bytes:
        """Return the text that replaces the shell by ``program``, the absolute path of another.

        What no environment carries (functions, aliases, variables that aren't exported) reaches it
        if it is ``interactive`` and of the same kind.
        """


class FileDialect(Dialect):
    """One kind of shell that can be given no descriptors: it finds files beside each other.

    ``restore`` of its start is the text that it runs: this is to run the command beside it, and to
    leave the report there. State comes with the environment and the directory of the process.
    """

    is_posix = False

    text_file: ClassVar[str]
    """The name of what it runs."""

    command_file: ClassVar[str]
    """The name of the command's text."""

    report_file: ClassVar[str] = "report"

    @abstractmethod
    def command_line(self, path: str) -> str | list[str]:
        """Return what runs the text at ``path``; a string is a Windows command line as it is."""

    def patch(self, have: State, want: State, token: bytes) -> bytes | None:
        return None


def environment(state: State) -> dict[bytes, bytes]:
    """Return the variables that can be handed over in a process's environment."""
    return {
        name: value
        for name, value in state.environment().items()
        if name not in WITHHELD
        and name not in SECRETS
        and not name.startswith(b"BASH_FUNC_")
        and len(name) + len(value) < LONGEST_STRING
    }


def between(report: bytes, token: bytes) -> bytes | None:
    """Return what stands between the first ``token`` NUL and the NUL ``token`` that ends a report.

    What a command itself wrote to the descriptor stands outside: it does not know the token.
    """
    begin = report.find(token + b"\0")
    if begin < 0:
        return None
    begin += len(token) + 1
    end = report.find(b"\0" + token, begin - 1)
    return report[begin:end] if end >= 0 else None
