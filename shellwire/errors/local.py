"""Errors that are never on the wire: of the home, of the start, and of clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.errors.base import ShellwireError

if TYPE_CHECKING:
    from pathlib import Path


class HomeError(ShellwireError):
    """A file under the daemon's home can't be read or written."""


class DamagedFile(HomeError):
    """A file under the daemon's home has invalid content."""


class InvalidSettings(HomeError):
    """The settings file at ``path`` has a syntax error, an unknown key or a bad value.

    ``reason`` says what is wrong in this ``line``.
    """

    def __init__(self, path: Path, line: int, reason: str) -> None:
        self.line = line
        self.reason = reason
        super().__init__(f"{path}:{line}: {reason}")


class StartError(ShellwireError):
    """The daemon can't start."""


class AlreadyRunning(StartError):
    """A daemon already serves this home."""


class NotRunning(ShellwireError):
    """No daemon serves this home."""


class Unreachable(ShellwireError):
    """The daemon's process runs, but gives no usable answer."""


class InvalidAnswer(Unreachable):
    """The peer is not a shellwire daemon, or not a trustworthy one: don't retry.

    ``sent`` describes the invalid answer.
    """

    def __init__(self, sent: str, name: str = "") -> None:
        self.sent = sent
        which = f"{name} is no shellwire" if name else "what answers is no shellwire"
        super().__init__(f"{which}: it has sent {sent}")


class FilesRefused(Unreachable):
    """A request for a file got a status that no other attempt would change: don't retry.

    The answer is not the daemon's: a proxy, or what serves its address, keeps ``/files`` back.
    """


class Disconnected(Unreachable):
    """The connection has ended for good, or before an answer that can't be requested again.

    It is unknown whether the daemon has done what was requested.
    """


class Replaced(Disconnected):
    """Another connection with the same client_id has taken over (close code 4000)."""


class Kicked(Disconnected):
    """An administrator has put this client out (close code 4009).

    ``reason``: why and by whom, as the daemon tells it.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        self.reason = reason
        super().__init__(message)


class CredentialEnded(Disconnected):
    """The client's credential expired (close code 4008), or it was revoked (1008)."""

    def of_job(self, job_id: str, *, started: bool) -> CredentialEnded:
        """Return this error for a job that was followed; ``started``: it is known to run."""
        condition = "" if started else " if it was started"
        return CredentialEnded(f"{self}; job {job_id} runs on{condition}")


class InvalidUrl(ShellwireError):
    """A URL is not the address of a daemon."""


class MissingExtra(ShellwireError):
    """An optional part of shellwire is not installed."""


class SkillError(ShellwireError):
    """A skill file for an agent can't be written, or was not written by us."""


class DeletionRefused(ShellwireError):
    """A sync would delete so much that one side has probably vanished: it does nothing."""


class OutputLost(ShellwireError):
    """Some of a job's output was dropped before it was read."""


class SpawnError(ShellwireError):
    """A process can't be started."""
