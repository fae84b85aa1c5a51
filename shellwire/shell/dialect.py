"""The interface of a shell dialect: how to start a shell, run a command, and read its report."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import msgspec

from shellwire.process.kill import TAG_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shellwire.shell.state import State, Variable

WITHHELD = frozenset({b"SHLVL", b"SHELLOPTS", b"BASHOPTS", b"BASH_ENV", b"PWD", b"OLDPWD", b"_"})
"""Variables that no shell is started with: they count up, set options, or the shell sets them."""

SECRETS = frozenset({TAG_NAME, b"SHELLWIRE_TOKEN", b"SHELLWIRE_URL"})
"""Variables of the daemon that are in no context and, except the tag, in no child."""

CD_FAILED = b"cd"
"""The report's content, instead of a state, if the working directory can't be entered."""

UNREPORTED = b"\0unreported"
"""The end of a report that the shell itself has marked as failed."""

# One string of an environment is at most 128 KiB long (execve(2), MAX_ARG_STRLEN): the shell itself
# restores longer ones.
MAX_ENV_STRING = 128 * 1024 - 1

MAX_LAST_LINE = 64
"""The most bytes of the line by which a shell says that its report is whole."""

_LAST_LINE = re.compile(rb"([0-9a-f]+) (0|[1-9][0-9]{0,2})\n")
_MAX_STATUS = 255


class Start(msgspec.Struct, frozen=True):
    """Arguments to start a shell: ``argv[0]`` is its path, ``restore`` the text on restore_fd."""

    argv: tuple[bytes, ...]
    env: Mapping[bytes, bytes]
    restore: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """The state that a shell reported at its end.

    ``unknown`` are variables that the shell can't report. If not ``whole``, the shell could not
    restore its start state completely: then missing names were not removed by the command.
    """

    state: State
    unknown: frozenset[bytes] = frozenset()
    whole: bool = True


class CannotEnter(Exception):
    """The shell could not enter its working directory."""


class Dialect(ABC):
    """One kind of shell, with the descriptors that it reads and writes."""

    is_posix: ClassVar[bool] = True
    """Whether ``&&`` and ``&`` have their POSIX meaning, and a shell can wait for its command."""

    probe: ClassVar[bytes] = (
        b"probe () { SHELLWIRE_PROBE=it\\'s; export SHELLWIRE_PROBE; cd /dev; exit 3; }\nprobe"
    )
    """A command that an unusable shell fails; ``find`` checks the result."""

    report_fd: ClassVar[int | None] = None
    """An unnamed file for the report. None: the shell opens it by a path."""

    lost_fd: ClassVar[int | None] = None
    """A pipe that the shell writes to at its end: ``TOKEN STATUS`` as one line if the report is
    whole and nothing but the exit follows, ``x`` if it can't report. None: the shell opens it by a
    path."""

    script_fd: ClassVar[int]
    """A pipe with the command's text, which the shell reads to its end."""

    restore_fd: ClassVar[int]
    """An unnamed file with the text that restores the start state."""

    def __init__(self, path: str) -> None:
        self.path = path

    @abstractmethod
    def start(self, state: State, token: bytes, *, report: bool) -> Start:
        """Return the arguments to start a shell in ``state`` that then runs the text on script_fd.

        With ``report`` the shell writes a report between two ``token`` when it ends.
        """

    @abstractmethod
    def patch(self, have: State, want: State, token: bytes) -> bytes | None:
        """Return the text that changes a shell started in ``have`` into one started in ``want``.

        None if a command could notice the difference, or if a new shell costs less.
        """

    def report_paths(self, report: bytes, lost: bytes) -> bytes:
        """Return the text that sets both paths, for a shell without report_fd and lost_fd."""
        return b""

    @abstractmethod
    def script(self, patch: bytes, text: bytes) -> bytes:
        """Return the script for a waiting shell: apply ``patch``, then run ``text``."""

    @abstractmethod
    def payload(self, report: bytes, token: bytes) -> bytes | None:
        """Return the part of a report that describes the state, or None if it is incomplete.

        Raises CannotEnter if the command did not run because its directory can't be entered.
        """

    def is_final(self, report: bytes, token: bytes) -> bool:
        """Whether ``report`` is whole, and says that the shell's EXIT trap is still ours.

        Then nothing of the user's runs between the report and the exit.
        """
        return False

    @abstractmethod
    def parse(self, payload: bytes) -> Report | None:
        """Parse ``payload``; return None if it is invalid."""

    @abstractmethod
    def reports(self, name: bytes, variable: Variable) -> bool:
        """Whether a report contains this variable."""

    @abstractmethod
    def exec_program(self, program: str, *, interactive: bool) -> bytes:
        """Return the text that replaces the shell by ``program``, an absolute path.

        If ``program`` is ``interactive`` and a shell of the same kind, it also gets the state that
        is not in the environment: functions, aliases, and variables that aren't exported.
        """


class FileDialect(Dialect):
    """One kind of shell that can't inherit descriptors: it uses files in one directory.

    ``Start.restore`` is the text that the shell runs. That text runs the command file, and writes
    the report file. The state is passed by the process's environment and directory.
    """

    is_posix = False

    text_file: ClassVar[str]
    """The name of the file that the shell runs."""

    command_file: ClassVar[str]
    """The name of the file with the command."""

    report_file: ClassVar[str] = "report"

    @abstractmethod
    def command_line(self, path: str) -> str | list[str]:
        """Return the command that runs the file ``path``; a string is a Windows command line."""

    def patch(self, have: State, want: State, token: bytes) -> bytes | None:
        return None


def environment(state: State) -> dict[bytes, bytes]:
    """Return the variables of ``state`` that can be passed in a process's environment."""
    return {
        name: value
        for name, value in state.environment().items()
        if name not in WITHHELD
        and name not in SECRETS
        and not name.startswith(b"BASH_FUNC_")
        and len(name) + len(value) < MAX_ENV_STRING
    }


def last_line_status(line: bytes, token: bytes) -> int | None:
    """Return STATUS if ``line`` is exactly ``TOKEN STATUS`` with 0 to 255, else None.

    A command can find the pipe and write anything to it.
    """
    match = _LAST_LINE.fullmatch(line)
    if match is None or match[1] != token or int(match[2]) > _MAX_STATUS:
        return None
    return int(match[2])


def between(report: bytes, token: bytes) -> bytes | None:
    """Return the bytes between the first ``token`` NUL and the NUL ``token`` after it, or None.

    Bytes that a command itself wrote to the descriptor are outside: it does not know the token.
    """
    begin = report.find(token + b"\0")
    if begin < 0:
        return None
    begin += len(token) + 1
    end = report.find(b"\0" + token, begin - 1)
    return report[begin:end] if end >= 0 else None
