"""Every error of shellwire, with the code that it has on the wire.

The tree::

    ShellwireError
    ├── WireError                    answered as an ``error`` message with ``code``
    │   ├── Refusal                  before authentication: answered, then closed
    │   │   ├── AuthTimeout          AUTH_TIMEOUT        4001
    │   │   ├── AuthInvalidJson      INVALID_JSON        4002
    │   │   ├── AuthRequired         AUTH_REQUIRED       4003
    │   │   ├── MissingClientId      MISSING_CLIENT_ID   4004
    │   │   ├── InvalidToken         INVALID_TOKEN       4005
    │   │   └── ClientRejected       CLIENT_REJECTED     4006
    │   ├── InvalidJson              INVALID_JSON
    │   ├── InvalidMessage           INVALID_MESSAGE     names the field's path
    │   ├── UnknownType              UNKNOWN_TYPE
    │   ├── DuplicateId              DUPLICATE_ID
    │   ├── NotFound                 NOT_FOUND
    │   ├── SessionError             SESSION_ERROR
    │   ├── SessionNotFound          SESSION_NOT_FOUND
    │   ├── QueueFull                QUEUE_FULL
    │   ├── TooManyProcesses         TOO_MANY_PROCESSES
    │   ├── Cancelled                CANCELLED
    │   ├── PtyUnavailable           PTY_UNAVAILABLE
    │   ├── InputFull                INPUT_FULL
    │   ├── Forbidden                FORBIDDEN
    │   ├── DaemonStopping           DAEMON_STOPPING
    │   ├── FileProblem              of a file or a directory
    │   │   ├── NotDirectory         NOT_DIRECTORY
    │   │   ├── NotFile              NOT_FILE
    │   │   ├── IsDirectory          IS_DIRECTORY
    │   │   ├── InvalidArgument      INVALID_ARGUMENT
    │   │   ├── PathEscape           PATH_ESCAPE
    │   │   ├── Conflict             CONFLICT
    │   │   ├── InvalidRegex         INVALID_REGEX
    │   │   ├── UploadNotFound       UPLOAD_NOT_FOUND
    │   │   └── FileSystemError      FS_OS_ERROR         what the system said
    │   └── InternalError            INTERNAL_ERROR
    ├── HomeError                    a file under ``~/.shellwire`` can't be used
    │   ├── DamagedFile              its content is not what we wrote
    │   └── InvalidSettings          ``config.toml`` says what no setting can be
    ├── StartError                   the daemon can't start, in one line
    │   └── AlreadyRunning
    ├── NotRunning                   there is no daemon to talk to
    ├── Unreachable                  there is one, and it does not answer as it should
    │   ├── InvalidAnswer            it sends what no daemon sends: it is not tried again
    │   └── Disconnected             the connection is gone, and with it an answer
    │       └── Replaced             the same client_id has connected again
    ├── InvalidUrl                   what was given is no address of a daemon
    ├── MissingExtra                 something optional is not installed
    ├── SkillError                   a skill can't be written, or is not ours to replace
    ├── DeletionRefused              a sync would delete what looks like a side that has vanished
    ├── OutputLost                   a job wrote more than was kept of it while nobody read
    └── SpawnError                   a process could not be started

The message of each is one line, fit to be shown to a user as it is.
"""

from __future__ import annotations

from typing import ClassVar


class ShellwireError(Exception):
    """Root of the tree."""


class WireError(ShellwireError):
    """An error that has a code on the wire.

    One that a message caused before there was a message object says what it knows of that message:
    its ``id``, its ``request_id`` and its type, each None if missing or itself wrong.
    """

    code: ClassVar[str] = "INTERNAL_ERROR"
    message_id: str | None = None
    request_id: str | None = None
    operation: str | None = None


class Refusal(WireError):
    """Ends a connection that has not authenticated; ``close_code`` is the WebSocket's."""

    close_code: ClassVar[int] = 1011


class AuthTimeout(Refusal):
    """No ``auth`` message arrived within the deadline."""

    code = "AUTH_TIMEOUT"
    close_code = 4001


class AuthInvalidJson(Refusal):
    """The first frame was not a JSON object."""

    code = "INVALID_JSON"
    close_code = 4002


class AuthRequired(Refusal):
    """The first message was not ``auth``."""

    code = "AUTH_REQUIRED"
    close_code = 4003


class MissingClientId(Refusal):
    """``auth`` carried no usable ``client_id``."""

    code = "MISSING_CLIENT_ID"
    close_code = 4004


class InvalidToken(Refusal):
    """``auth`` carried no token, or not the daemon's."""

    code = "INVALID_TOKEN"
    close_code = 4005


class ClientRejected(Refusal):
    """The client is revoked, every client slot is taken, or it is transient and may not be now."""

    code = "CLIENT_REJECTED"
    close_code = 4006


class InvalidJson(WireError):
    """A frame was not a JSON object."""

    code = "INVALID_JSON"


class InvalidMessage(WireError):
    """A field is missing or wrong; the message names its path and what was expected."""

    code = "INVALID_MESSAGE"


class UnknownType(WireError):
    """The message's ``type`` is not one that the daemon knows."""

    code = "UNKNOWN_TYPE"


class DuplicateId(WireError):
    """The id names a job of this client already."""

    code = "DUPLICATE_ID"


class NotFound(WireError):
    """No job of the owner has this id; or there is no file of this name."""

    code = "NOT_FOUND"


class SessionError(WireError):
    """Input or a size was sent to a job that is not there or cannot take it."""

    code = "SESSION_ERROR"


class SessionNotFound(WireError):
    """``kill_session`` named a job that is not there."""

    code = "SESSION_NOT_FOUND"


class QueueFull(WireError):
    """No more commands may wait."""

    code = "QUEUE_FULL"


class TooManyProcesses(WireError):
    """Every process slot is taken, and a session does not queue."""

    code = "TOO_MANY_PROCESSES"


class Cancelled(WireError):
    """A queued command was cancelled before it ran."""

    code = "CANCELLED"


class PtyUnavailable(WireError):
    """This platform, or this moment, has no pseudo-terminal to give."""

    code = "PTY_UNAVAILABLE"


class InputFull(WireError):
    """Too much input waits already for a job that does not read it."""

    code = "INPUT_FULL"


class Forbidden(WireError):
    """The connection may not do this."""

    code = "FORBIDDEN"


class DaemonStopping(WireError):
    """The daemon is shutting down and takes nothing new."""

    code = "DAEMON_STOPPING"


class FileProblem(WireError):
    """What was asked of a file or a directory can't be done."""


class NotDirectory(FileProblem):
    """A directory was expected there, and something else is."""

    code = "NOT_DIRECTORY"


class NotFile(FileProblem):
    """A regular file was expected there, and something else is: a directory, a FIFO, a device."""

    code = "NOT_FILE"


class IsDirectory(FileProblem):
    """A file was to be written where a directory is."""

    code = "IS_DIRECTORY"


class InvalidArgument(FileProblem):
    """What was asked for makes no sense, or passes a limit; the message says which."""

    code = "INVALID_ARGUMENT"


class PathEscape(FileProblem):
    """The path leads out of its root: by ``..``, as an absolute one, or through a symlink."""

    code = "PATH_ESCAPE"


class Conflict(FileProblem):
    """The file is not what its writer believes it to be; it is as it was."""

    code = "CONFLICT"


class InvalidRegex(FileProblem):
    """What was to be searched for is no regular expression."""

    code = "INVALID_REGEX"


class UploadNotFound(FileProblem):
    """The connection has no upload of this id: it is over, or never was."""

    code = "UPLOAD_NOT_FOUND"


class FileSystemError(FileProblem):
    """The system refused; ``errno`` is its reason, if it gave one."""

    code = "FS_OS_ERROR"
    errno: int | None = None


class InternalError(WireError):
    """A defect of the daemon; its log has the traceback."""

    code = "INTERNAL_ERROR"


class HomeError(ShellwireError):
    """A file under the daemon's home can't be read or written."""


class DamagedFile(HomeError):
    """A file under the daemon's home does not hold what it should."""


class InvalidSettings(HomeError):
    """The settings file says what can't be: a bad option, written down."""


class StartError(ShellwireError):
    """The daemon can't start."""


class AlreadyRunning(StartError):
    """A daemon already serves this home."""


class NotRunning(ShellwireError):
    """No daemon serves this home."""


class Unreachable(ShellwireError):
    """The daemon's process lives, but it gives no usable answer."""


class InvalidAnswer(Unreachable):
    """What answers is no shellwire, or none that can be trusted: it is not tried again.

    Made with what it has sent.
    """

    def __init__(self, sent: str, name: str = "") -> None:
        self.sent = sent
        which = f"{name} is no shellwire" if name else "what answers is no shellwire"
        super().__init__(f"{which}: it has sent {sent}")


class Disconnected(Unreachable):
    """The connection has ended for good, or ended before an answer that can't be asked for again.

    Whether the daemon has done what was asked is not known.
    """


class Replaced(Disconnected):
    """Another connection with the same client_id has taken over (close code 4000)."""


class InvalidUrl(ShellwireError):
    """A URL is not one that a daemon can be reached at."""


class MissingExtra(ShellwireError):
    """A part of shellwire that is installed on demand is not there."""


class SkillError(ShellwireError):
    """A file for an agent can't be written, or holds what we have not written."""


class DeletionRefused(ShellwireError):
    """A sync would delete so much that one side has rather vanished: nothing is done."""


class OutputLost(ShellwireError):
    """Some of a job's output can't be had any more."""


class SpawnError(ShellwireError):
    """A process could not be started."""


def _kinds(kind: type[WireError]) -> list[type[WireError]]:
    children = kind.__subclasses__()
    return [kind] if not children else [each for child in children for each in _kinds(child)]


# A code of both kinds means the one that doesn't end the connection: that stands later here.
_BY_CODE: dict[str, type[WireError]] = {kind.code: kind for kind in _kinds(WireError)}

CODES: tuple[str, ...] = tuple(sorted(_BY_CODE))
"""Every code that an ``error`` message may carry, each once, sorted."""


def from_wire(code: str, message: str) -> WireError:
    """Return the error that a daemon has told. A code that we don't know is a ``WireError``'s."""
    kind = _BY_CODE.get(code)
    if kind is None:
        kind = _BY_CODE[code] = type("WireError", (WireError,), {"code": code})
    return kind(message)
