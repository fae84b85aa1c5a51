"""Handlers that start jobs: ``execute`` and ``start_session``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.errors import DuplicateId, InvalidMessage, QueueFull, SessionError
from shellwire.jobs.model import DEFAULT_CONTEXT, JobKey, Request
from shellwire.protocol import messages
from shellwire.server.writer import MAX_UNREAD
from shellwire.shell.text import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shellwire.server.connection import Connection

    ContextMessage = (
        messages.Execute
        | messages.StartSession
        | messages.GetContext
        | messages.SetContext
        | messages.ResetContext
    )

OLD_IDLE_SECONDS = 3600.0
"""Seconds unused after which a session ends if its client lacks ``protocol: 1``, as in 0.1.4."""


def execute(connection: Connection, message: messages.Execute) -> None:
    limit = message.max_output_bytes
    context, namespace = context_of(connection, message)
    request = Request(
        kind="command",
        command=encoded(message.command),
        context=context,
        namespace=namespace,
        cwd=None if message.cwd is None else encoded(message.cwd),
        env=encode_environment(message.env),
        size=(message.cols, message.rows) if message.is_pty else None,
        stdin_data=None if message.stdin_data is None else encoded(message.stdin_data),
        open_stdin=message.open_stdin,
        timeout=message.timeout,
        max_output_bytes=connection.services.limits.max_output_bytes if limit is None else limit,
        collect_chars=message.max_chars if message.collect else None,
        binary=message.encoding == "base64",
        kill_on_disconnect=message.on_disconnect == "kill",
        detach_ttl=message.detach_ttl,
        name=message.name,
        elevated=connection.principal.raised_credential,
    )
    _submit(connection, message, request, silent=message.collect)


def start_session(connection: Connection, message: messages.StartSession) -> None:
    context, namespace = context_of(connection, message)
    request = Request(
        kind="session",
        command=None if message.command is None else encoded(message.command),
        context=context,
        namespace=namespace,
        cwd=None if message.cwd is None else encoded(message.cwd),
        env=encode_environment(message.env),
        size=(message.cols, message.rows) if message.use_pty else None,
        max_output_bytes=message.max_output_bytes or 0,
        kill_on_disconnect=message.on_disconnect == "kill",
        detach_ttl=message.detach_ttl,
        idle_default=0 if connection.unique_ids else OLD_IDLE_SECONDS,
        name=message.name,
        elevated=connection.principal.raised_credential,
    )
    _submit(connection, message, request, silent=False)


def encode_environment(env: Mapping[str, str]) -> dict[bytes, bytes]:
    """Return the variables as the shell takes them."""
    return {encoded(name): encoded(value) for name, value in env.items()}


def context_of(connection: Connection, message: ContextMessage) -> tuple[str, str | None]:
    """Return the name of a message's context, and its principal; None: the client's own.

    For a role that reaches all, ``PRINCIPAL/NAME`` is the context of another principal, if there is
    one of that name. For all others, and without such a principal, it is a name like any other.
    Raises InvalidMessage for another's ``default``, which belongs to a client.
    """
    principal, slash, name = message.context.partition("/")
    if not slash or connection.cells[type(message)] != "all":
        return message.context, None
    if principal == connection.principal.name or not connection.connections.has_principal(
        principal
    ):
        return message.context, None
    if name in ("", DEFAULT_CONTEXT):
        raise InvalidMessage(f"context: expected a named context of {principal}")
    return name, principal


def _submit(
    connection: Connection,
    message: messages.Execute | messages.StartSession,
    request: Request,
    *,
    silent: bool,
) -> None:
    refuse_slow_reader(connection)
    followed = connection.writer.followed_job(message.id)
    if followed is not None and followed.key.client != connection.key:
        raise DuplicateId(f"id {message.id} names another client's job that is attached here")
    registry = connection.services.registry
    key = JobKey(connection.key, message.id)
    try:
        job, position = registry.submit(
            key, request, once=connection.unique_ids, share=connection.writer.share
        )
    except DuplicateId as error:
        # The error may be about the name, while the id is free.
        if not connection.unique_ids and registry.has_id(message.id, key.principal):
            job = registry.find(connection.key, message.id, everywhere=False)
            if request.kind == job.request.kind == "session":
                raise SessionError(str(error)) from None  # as in release 0.1.4
        raise
    if position:
        connection.send(messages.CommandQueued(id=message.id, position=position))
    else:
        job.start()
    if request.kind == "session" and job.pid is not None:
        connection.send(
            messages.SessionStarted(id=message.id, pid=job.pid, request_id=message.request_id)
        )
    connection.writer.follow(
        job,
        message.encoding,
        window=message.window,
        silent=silent,
        explain_ending=not (connection.unique_ids or silent),
        request_id=message.request_id,
    )


def refuse_slow_reader(connection: Connection) -> None:
    """Raise QueueFull if the client has left too much output of ended jobs unread."""
    if connection.writer.unread_bytes() > MAX_UNREAD:
        raise QueueFull(f"more than {MAX_UNREAD} bytes of output wait for this client to read them")
    most = connection.services.principal_limits.unread_bytes
    who = connection.principal
    if not who.is_owner and connection.connections.unread_bytes(who) > most:
        raise QueueFull(f"more than {most} bytes of output wait for {who.name} to read them")
