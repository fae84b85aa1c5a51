"""Make the ``error`` messages that answer requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.errors import InternalError
from shellwire.protocol.codec import type_of
from shellwire.protocol.limits import MAX_DAEMON_MESSAGE
from shellwire.protocol.messages import Error

if TYPE_CHECKING:
    from shellwire.errors import WireError
    from shellwire.protocol.messages import ClientMessage, ServerMessage


def error_answer(error: WireError, message: ClientMessage | None = None) -> Error:
    """Return the ``error`` that answers ``message``, or answers text that could not be decoded."""
    if message is None:
        request_id, message_id = error.request_id, error.message_id
        operation = error.operation
    else:
        request_id, message_id = message.request_id, message.id
        operation = type_of(message)
    return Error(
        id=message_id if request_id is None else request_id,
        message=str(error),
        code=error.code,
        operation=operation,
        request_id=request_id,
    )


def oversize_answer(message: ServerMessage, size: int) -> Error:
    """Return the ``error`` to send instead of ``message``, whose ``size`` in bytes is too large."""
    request_id = getattr(message, "request_id", None)
    return Error(
        id=getattr(message, "id", None) if request_id is None else request_id,
        message=f"the answer has {size} bytes, and a message may have {MAX_DAEMON_MESSAGE}",
        code=InternalError.code,
        request_id=request_id,
    )
