"""Error texts for connections that fail, are refused, redirected or closed."""

from __future__ import annotations

import os
import re
import socket
import ssl
from typing import TYPE_CHECKING

from shellwire.errors import FilesRefused, NotRunning, Unreachable
from shellwire.output import printable, quoted

if TYPE_CHECKING:
    from shellwire.client.endpoint import Target

ABNORMAL_CLOSURE = 1006
"""The close code that RFC 6455, 7.4.1, reserves for a connection that ended without one."""

_NO_STATUS = 1005  # reserved there for a close frame without a code

_SHOWN = 200

# Statuses of servers and proxies that another attempt may change (RFC 9110, 15.5.9 and 15.6).
_CHANGING = {408, 500, 502, 503, 504}

# How asyncio names each of several addresses that could not be reached.
_ERRNO = re.compile(r"\[Errno (\d+)\]")


def describe_redirect(status: int, location: str) -> str:
    """Return an error text for a redirect."""
    return f"a redirect ({status}) to {quoted(location[:_SHOWN])}, which is not followed"


def describe_close(code: int, reason: str) -> str:
    """Return how a connection ended, as the predicate of a sentence about the daemon."""
    if code in (ABNORMAL_CLOSURE, _NO_STATUS):
        return "broke off the connection"
    words = f" {printable(reason)}" if reason else ""
    return f"closed the connection ({code}{words})"


def describe_refusal(status: int, retry_after: str, target: Target) -> str:
    """Return why a handshake failed, as the predicate of a sentence about the daemon."""
    if status == 403 and target.home is not None:
        return "refused this process (403): it comes from a job of another principal"
    if status == 403:
        return "refused this host name (403); allow it with `start --allow-host`"
    if status == 429:
        seconds = printable(retry_after[:_SHOWN])
        return f"got too many wrong tokens from here (429); try again in {seconds} s"
    return f"is no shellwire: it answered with {status}"


def file_status_error(status: int, retry_after: str | None, name: str, proxy: str) -> Unreachable:
    """Return the error for an answer to a file request that is not the daemon's.

    ``proxy`` is the name of the proxy that the request was sent to, "" without one.
    """
    if status in _CHANGING or (status == 429 and retry_after is not None):
        return Unreachable(f"{name} answered a request for a file with {status}")
    if proxy:
        return FilesRefused(
            f"the proxy {proxy} answered a request for a file of {name} with {status};"
            " NO_PROXY lists hosts to connect to directly"
        )
    return FilesRefused(
        f"{name} answered a request for a file with {status}: what serves this address must pass on"
        " /files as well as /ws"
    )


def connect_error(error: Exception, target: Target, name: str) -> NotRunning | Unreachable:
    """Return the error for a connection that could not be made."""
    cause = getattr(error, "os_error", error)
    if target.home is not None and isinstance(cause, ConnectionRefusedError | FileNotFoundError):
        return NotRunning(f"shellwire is not running: nothing listens at {name}")
    return Unreachable(f"{name} can't be reached: {describe_cause(cause)}")


def describe_cause(error: Exception) -> str:
    """Return why a connection could not be made, in the system's words where it has some."""
    reason = (str(error) or type(error).__name__)[:_SHOWN]
    if isinstance(error, socket.gaierror):
        reason = error.strerror or reason
    elif isinstance(error, ssl.SSLError):
        # Its errno is one of OpenSSL's, which os.strerror() does not know.
        reason = f"TLS: {getattr(error, 'verify_message', None) or error.reason or reason}"
    elif isinstance(error, OSError) and error.errno:
        reason = os.strerror(error.errno)  # asyncio's text differs
    elif isinstance(error, OSError) and (several := _ERRNO.findall(str(error))):
        reason = os.strerror(int(several[-1]))
    return printable(reason)
