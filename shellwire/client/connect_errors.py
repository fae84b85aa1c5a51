"""Error texts for connections that fail, are refused, redirected or closed."""

from __future__ import annotations

import os
import socket
import ssl
from typing import TYPE_CHECKING

from shellwire.errors import NotRunning, Unreachable
from shellwire.output import printable, quoted

if TYPE_CHECKING:
    import aiohttp

    from shellwire.client.endpoint import Target

ABNORMAL_CLOSURE = 1006
"""The close code that RFC 6455, 7.4.1, reserves for a connection that ended without one."""

_SHOWN = 200


def describe_redirect(answer: aiohttp.ClientResponse) -> str:
    """Return an error text for a redirect."""
    where = quoted(answer.headers.get("Location", "")[:_SHOWN])
    return f"a redirect ({answer.status}) to {where}, which is not followed"


def describe_close(code: int, reason: str) -> str:
    """Return how a connection ended, as the predicate of a sentence about the daemon."""
    if code == ABNORMAL_CLOSURE:
        return "broke off the connection"
    words = f" {printable(reason)}" if reason else ""
    return f"closed the connection ({code}{words})"


def describe_refusal(error: aiohttp.WSServerHandshakeError, target: Target) -> str:
    """Return why a handshake was refused, as the predicate of a sentence about the daemon."""
    if error.status == 403 and target.home is not None:
        return "refused this process (403): it comes from a job of another principal"
    if error.status == 403:
        return "refused this host name (403); allow it with `start --allow-host`"
    if error.status == 429:
        seconds = error.headers.get("Retry-After", "60") if error.headers else "60"
        return f"got too many wrong tokens from here (429); try again in {printable(seconds)} s"
    return f"is no shellwire: it answered with {error.status}"


def connect_error(error: Exception, target: Target, name: str) -> NotRunning | Unreachable:
    """Return the error for a connection that could not be made."""
    cause = getattr(error, "os_error", error)
    if target.home is not None and isinstance(cause, ConnectionRefusedError | FileNotFoundError):
        return NotRunning(f"shellwire is not running: nothing listens at {name}")
    reason = (str(error) or type(error).__name__)[:_SHOWN]
    if isinstance(cause, socket.gaierror):
        reason = cause.strerror or reason
    elif isinstance(cause, ssl.SSLError):
        # Its errno is one of OpenSSL's, which os.strerror() does not know.
        reason = f"TLS: {getattr(cause, 'verify_message', None) or cause.reason or reason}"
    elif isinstance(cause, OSError) and cause.errno:
        reason = os.strerror(cause.errno)  # asyncio's text differs
    return Unreachable(f"{name} can't be reached: {printable(reason)}")
