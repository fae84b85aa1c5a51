"""Handlers for contexts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shellwire.errors import InvalidMessage
from shellwire.protocol import messages
from shellwire.server.handlers.start import context_of, encode_environment
from shellwire.shell.text import decoded, encoded

if TYPE_CHECKING:
    from shellwire.server.connection import Connection
    from shellwire.shell.context import Context

    ContextMessage = messages.GetContext | messages.SetContext | messages.ResetContext


def get_context(connection: Connection, message: ContextMessage) -> None:
    contexts = connection.services.registry.contexts
    state = contexts.state_of(connection.key, *context_of(connection, message))
    connection.send(
        messages.ContextState(
            id=message.id,
            request_id=message.request_id,
            context=message.context,
            cwd=decoded(state.cwd),
            env={
                decoded(name): decoded(value)
                for name, value in sorted(state.program_environment().items())
            },
        )
    )


def _context(connection: Connection, message: ContextMessage) -> Context:
    contexts = connection.services.registry.contexts
    return contexts.get(connection.key, *context_of(connection, message))


def set_context(connection: Connection, message: messages.SetContext) -> None:
    context = _context(connection, message)
    cwd = None
    if message.cwd is not None:
        cwd = os.path.join(context.state.cwd, encoded(message.cwd))
        if not os.path.isdir(cwd):
            raise InvalidMessage(f"cwd: expected a directory that exists, got {message.cwd[:100]}")
    try:
        context.edit(
            cwd=cwd,
            env=encode_environment(message.env),
            unset=[encoded(name) for name in message.unset],
        )
    except ValueError as error:
        raise InvalidMessage(f"env: {error}") from None
    get_context(connection, message)


def reset_context(connection: Connection, message: messages.ResetContext) -> None:
    _context(connection, message).reset()
    get_context(connection, message)
