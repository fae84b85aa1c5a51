"""All errors of shellwire, and their codes on the wire.

The tree::

    ShellwireError
    ├── WireError                    sent as an ``error`` message with ``code``
    │   ├── Refusal                  before authentication: sent, then closed
    │   │   ├── AuthTimeout          AUTH_TIMEOUT        4001
    │   │   ├── AuthInvalidJson      INVALID_JSON        4002
    │   │   ├── AuthRequired         AUTH_REQUIRED       4003
    │   │   ├── MissingClientId      MISSING_CLIENT_ID   4004
    │   │   ├── InvalidToken         INVALID_TOKEN       4005
    │   │   ├── ClientRejected       CLIENT_REJECTED     4006
    │   │   └── Expired              EXPIRED             4008
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
    │   ├── IsolationUnavailable     ISOLATION_UNAVAILABLE
    │   ├── DaemonStopping           DAEMON_STOPPING
    │   ├── FileProblem              a file operation failed
    │   │   ├── NotDirectory         NOT_DIRECTORY
    │   │   ├── NotFile              NOT_FILE
    │   │   ├── IsDirectory          IS_DIRECTORY
    │   │   ├── InvalidArgument      INVALID_ARGUMENT
    │   │   ├── PathEscape           PATH_ESCAPE
    │   │   ├── Conflict             CONFLICT
    │   │   ├── InvalidRegex         INVALID_REGEX
    │   │   ├── UploadNotFound       UPLOAD_NOT_FOUND
    │   │   └── FileSystemError      FS_OS_ERROR         the system's own error
    │   └── InternalError            INTERNAL_ERROR
    ├── HomeError                    a file under ``~/.shellwire`` can't be used
    │   ├── DamagedFile              its content is invalid
    │   └── InvalidSettings          ``config.toml`` is invalid
    ├── StartError                   the daemon can't start
    │   └── AlreadyRunning           another daemon uses the same home
    ├── NotRunning                   no daemon runs
    ├── Unreachable                  a daemon runs, but gives no usable answer
    │   ├── InvalidAnswer            the peer is no shellwire daemon: don't retry
    │   ├── FilesRefused             something before the daemon refuses file requests: don't retry
    │   └── Disconnected             the connection is lost, and with it an answer
    │       ├── Replaced             the same client_id has connected again
    │       ├── Kicked               an administrator has put this client out
    │       └── CredentialEnded      the token expired or was revoked; jobs run on
    ├── InvalidUrl                   a URL is not the address of a daemon
    ├── MissingExtra                 an optional part is not installed
    ├── SkillError                   a skill can't be written, or a foreign file is in its place
    ├── DeletionRefused              a sync would delete too much: one side has probably vanished
    ├── OutputLost                   output was dropped before it was read
    └── SpawnError                   a process can't be started

Each message is one line, and can be shown to a user unchanged.
"""

from __future__ import annotations

from shellwire.errors.base import ShellwireError
from shellwire.errors.codes import CODES, from_wire
from shellwire.errors.files import (
    Conflict,
    FileProblem,
    FileSystemError,
    InvalidArgument,
    InvalidRegex,
    IsDirectory,
    NotDirectory,
    NotFile,
    PathEscape,
    UploadNotFound,
)
from shellwire.errors.local import (
    AlreadyRunning,
    CredentialEnded,
    DamagedFile,
    DeletionRefused,
    Disconnected,
    FilesRefused,
    HomeError,
    InvalidAnswer,
    InvalidSettings,
    InvalidUrl,
    Kicked,
    MissingExtra,
    NotRunning,
    OutputLost,
    Replaced,
    SkillError,
    SpawnError,
    StartError,
    Unreachable,
)
from shellwire.errors.wire import (
    AuthInvalidJson,
    AuthRequired,
    AuthTimeout,
    Cancelled,
    ClientRejected,
    DaemonStopping,
    DuplicateId,
    Expired,
    Forbidden,
    InputFull,
    InternalError,
    InvalidJson,
    InvalidMessage,
    InvalidToken,
    IsolationUnavailable,
    MissingClientId,
    NotFound,
    PtyUnavailable,
    QueueFull,
    Refusal,
    SessionError,
    SessionNotFound,
    TooManyProcesses,
    UnknownType,
    WireError,
)

__all__ = [
    "CODES",
    "AlreadyRunning",
    "AuthInvalidJson",
    "AuthRequired",
    "AuthTimeout",
    "Cancelled",
    "ClientRejected",
    "Conflict",
    "CredentialEnded",
    "DaemonStopping",
    "DamagedFile",
    "DeletionRefused",
    "Disconnected",
    "DuplicateId",
    "Expired",
    "FileProblem",
    "FileSystemError",
    "FilesRefused",
    "Forbidden",
    "HomeError",
    "InputFull",
    "InternalError",
    "InvalidAnswer",
    "InvalidArgument",
    "InvalidJson",
    "InvalidMessage",
    "InvalidRegex",
    "InvalidSettings",
    "InvalidToken",
    "InvalidUrl",
    "IsDirectory",
    "IsolationUnavailable",
    "Kicked",
    "MissingClientId",
    "MissingExtra",
    "NotDirectory",
    "NotFile",
    "NotFound",
    "NotRunning",
    "OutputLost",
    "PathEscape",
    "PtyUnavailable",
    "QueueFull",
    "Refusal",
    "Replaced",
    "SessionError",
    "SessionNotFound",
    "ShellwireError",
    "SkillError",
    "SpawnError",
    "StartError",
    "TooManyProcesses",
    "UnknownType",
    "Unreachable",
    "UploadNotFound",
    "WireError",
    "from_wire",
]
