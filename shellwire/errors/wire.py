"""Errors that the daemon sends as an ``error`` message, each with its code."""

from __future__ import annotations

from typing import ClassVar

from shellwire.errors.base import ShellwireError


class WireError(ShellwireError):
    """An error that has a code on the wire.

    If a message could not be parsed, the error carries the message's ``id``, ``request_id`` and
    type (``operation``), each None if it is missing or itself wrong.
    """

    code: ClassVar[str] = "INTERNAL_ERROR"
    message_id: str | None = None
    request_id: str | None = None
    operation: str | None = None


class Refusal(WireError):
    """An error that ends an unauthenticated connection with the WebSocket's ``close_code``."""

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
    """``auth`` had no valid ``client_id``."""

    code = "MISSING_CLIENT_ID"
    close_code = 4004


class InvalidToken(Refusal):
    """``auth`` had no token, or a wrong one."""

    code = "INVALID_TOKEN"
    close_code = 4005


class ClientRejected(Refusal):
    """The client is revoked, all client slots are taken, or no transient client may connect now."""

    code = "CLIENT_REJECTED"
    close_code = 4006


class Expired(Refusal):
    """The credential was right, but its time is over."""

    code = "EXPIRED"
    close_code = 4008


class InvalidJson(WireError):
    """A frame was not a JSON object."""

    code = "INVALID_JSON"


class InvalidMessage(WireError):
    """A field is missing or wrong; the message names its path and what was expected."""

    code = "INVALID_MESSAGE"


class UnknownType(WireError):
    """The daemon does not know the message's ``type``."""

    code = "UNKNOWN_TYPE"


class DuplicateId(WireError):
    """The client already has a job with this id."""

    code = "DUPLICATE_ID"


class NotFound(WireError):
    """No accessible job has this id, or no file has this name."""

    code = "NOT_FOUND"


class SessionError(WireError):
    """Input or a size was sent to a job that does not exist or cannot take it."""

    code = "SESSION_ERROR"


class SessionNotFound(WireError):
    """``kill_session`` named a job that does not exist."""

    code = "SESSION_NOT_FOUND"


class QueueFull(WireError):
    """The queue of waiting commands is full."""

    code = "QUEUE_FULL"


class TooManyProcesses(WireError):
    """All process slots are taken, and a session does not queue."""

    code = "TOO_MANY_PROCESSES"


class Cancelled(WireError):
    """A queued command was cancelled before it ran."""

    code = "CANCELLED"


class PtyUnavailable(WireError):
    """No pseudo-terminal is available, on this platform or at the moment."""

    code = "PTY_UNAVAILABLE"


class InputFull(WireError):
    """Too much unread input of a job waits already."""

    code = "INPUT_FULL"


class Forbidden(WireError):
    """The credential's role does not allow this."""

    code = "FORBIDDEN"


class IsolationUnavailable(WireError):
    """The credential demands an isolation that this daemon does not have: nothing is run."""

    code = "ISOLATION_UNAVAILABLE"


class DaemonStopping(WireError):
    """The daemon is shutting down and accepts no new jobs."""

    code = "DAEMON_STOPPING"


class InternalError(WireError):
    """A defect of the daemon; its log has the traceback."""

    code = "INTERNAL_ERROR"
