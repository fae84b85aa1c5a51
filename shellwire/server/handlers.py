"""Message → registry: one small function for each message that a client may send.

What a handler raises from the tree of errors is answered as an ``error`` message.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any, get_args

from shellwire.errors import (
    DaemonStopping,
    DuplicateId,
    InvalidMessage,
    NotFound,
    QueueFull,
    SessionError,
    SessionNotFound,
)
from shellwire.jobs.model import JobKey, Request
from shellwire.protocol import messages
from shellwire.protocol.data import decode_data
from shellwire.protocol.names import decode_name
from shellwire.server import render
from shellwire.server.writer import MAX_UNREAD
from shellwire.shell.text import decoded, encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shellwire.jobs.job import Job
    from shellwire.protocol.messages import ClientMessage
    from shellwire.server.connection import Connection

    Handler = Callable[[Connection, Any], None]

OLD_IDLE_SECONDS = 3600.0
"""Seconds unused after which sessions of clients without ``protocol: 1`` end, as in 0.1.4."""


def handle(connection: Connection, message: ClientMessage) -> None:
    """Do what ``message`` asks. Raises WireError."""
    _HANDLERS[type(message)](connection, message)


# Running -----------------------------------------------------------------------------------------


def _execute(connection: Connection, message: messages.Execute) -> None:
    limit = message.max_output_bytes
    request = Request(
        kind="command",
        command=encoded(message.command),
        context=message.context,
        cwd=None if message.cwd is None else encoded(message.cwd),
        env=_environment(message.env),
        size=(message.cols, message.rows) if message.is_pty else None,
        stdin_data=None if message.stdin_data is None else encoded(message.stdin_data),
        open_stdin=message.open_stdin,
        timeout=message.timeout,
        max_output_bytes=connection.connections.limits.max_output_bytes if limit is None else limit,
        collect_chars=message.max_chars if message.collect else None,
        binary=message.encoding == "base64",
        kill_on_disconnect=message.on_disconnect == "kill",
        detach_ttl=message.detach_ttl,
        name=message.name,
    )
    _submit(connection, message, request, silent=message.collect)


def _start_session(connection: Connection, message: messages.StartSession) -> None:
    request = Request(
        kind="session",
        command=None if message.command is None else encoded(message.command),
        context=message.context,
        cwd=None if message.cwd is None else encoded(message.cwd),
        env=_environment(message.env),
        size=(message.cols, message.rows) if message.use_pty else None,
        max_output_bytes=message.max_output_bytes or 0,
        kill_on_disconnect=message.on_disconnect == "kill",
        detach_ttl=message.detach_ttl,
        idle_default=0 if connection.once else OLD_IDLE_SECONDS,
        name=message.name,
    )
    _submit(connection, message, request, silent=False)


def _environment(given: Mapping[str, str]) -> dict[bytes, bytes]:
    return {encoded(name): encoded(value) for name, value in given.items()}


def _submit(
    connection: Connection,
    message: messages.Execute | messages.StartSession,
    request: Request,
    *,
    silent: bool,
) -> None:
    _refuse_slow_reader(connection)
    followed = connection.writer.follows(message.id)
    if followed is not None and followed.key.client_id != connection.client_id:
        raise DuplicateId(f"id {message.id} names another client's job that is attached here")
    key = JobKey(connection.client_id, message.id)
    try:
        job, place = connection.connections.registry.submit(key, request, once=connection.once)
    except DuplicateId as error:
        # The id may be free, and the name taken.
        if not connection.once and connection.connections.registry.has_id(message.id):
            job = _find(connection, message.id)
            if request.kind == job.request.kind == "session":
                raise SessionError(str(error)) from None  # as in release 0.1.4
        raise
    if place:
        connection.send(messages.CommandQueued(id=message.id, position=place))
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
        explains=not (connection.once or silent),
        request_id=message.request_id,
    )


def _refuse_slow_reader(connection: Connection) -> None:
    if connection.writer.unread_bytes() > MAX_UNREAD:
        raise QueueFull(f"more than {MAX_UNREAD} bytes of output wait for this client to read them")


# Following ---------------------------------------------------------------------------------------


def _attach(connection: Connection, message: messages.Attach) -> None:
    job = _find(connection, message.id)
    after = job.readers.offset(message.after, "after", text=message.encoding == "utf-8")
    _refuse_slow_reader(connection)
    followed = connection.writer.follows(job.key.id)
    if followed is not None:
        connection.writer.unfollow(followed)
    connection.send(render.attached(job, after, message.request_id))
    connection.writer.follow(job, message.encoding, after=after, window=message.window)


def _detach(connection: Connection, message: messages.Detach) -> None:
    connection.writer.unfollow(_find(connection, message.id))
    connection.acknowledge(message)


def _credit(connection: Connection, message: messages.Credit) -> None:
    # What has come to its end is not followed any more: its last credits are late, not wrong.
    job = _find(connection, message.id)
    connection.writer.credit(job, job.readers.offset(message.end, "end", text=False))
    connection.acknowledge(message)


def _read_output(connection: Connection, message: messages.ReadOutput) -> None:
    job = _find(connection, message.id)
    after = job.readers.offset(message.after, "after", text=message.encoding == "utf-8")
    until = None if message.until is None else message.until.encode()
    if until is not None and len(until) > message.max_bytes:
        raise InvalidMessage(f"until: expected at most max_bytes ({message.max_bytes}) bytes")
    connection.writer.ask(job, after, until, message)


# Acting on a job ---------------------------------------------------------------------------------


def _find(connection: Connection, job_id: str) -> Job:
    return connection.connections.registry.find(connection.client_id, job_id)


def _cancel_command(connection: Connection, message: messages.CancelCommand) -> None:
    registry = connection.connections.registry
    try:
        # A message about files has an id, too: names of jobs come after all ids.
        if not registry.has_id(message.id):
            raise NotFound(f"no job has the id {message.id}")
        registry.cancel(_find(connection, message.id))
    except NotFound:
        if not connection.cancel_file_message(message.id):
            registry.cancel(_find(connection, message.id))
    connection.acknowledge(message)


def _kill_session(connection: Connection, message: messages.KillSession) -> None:
    try:
        connection.connections.registry.kill(_find(connection, message.id))
    except NotFound as error:
        raise SessionNotFound(str(error)) from None
    connection.acknowledge(message)


def _find_for_input(connection: Connection, job_id: str) -> Job:
    try:
        return _find(connection, job_id)
    except NotFound as error:
        raise SessionError(str(error)) from None


def _send_input(connection: Connection, message: messages.SendInput) -> None:
    data = decode_data(message.data, message.encoding, "data")
    _find_for_input(connection, message.id).send_input(data, close=message.close_stdin)
    connection.acknowledge(message)


def _resize(connection: Connection, message: messages.Resize) -> None:
    _find_for_input(connection, message.id).resize(message.cols, message.rows)
    connection.acknowledge(message)


def _signal(connection: Connection, message: messages.Signal) -> None:
    name = message.signal.removeprefix("SIG")
    number = signal.Signals.__members__.get(f"SIG{name}")
    if number is None:
        raise InvalidMessage(f"signal: expected a signal of this system, got {message.signal}")
    job = _find(connection, message.id)
    if job.state != "running":
        raise NotFound(f"{job.request.kind} {message.id} is not running")
    job.signal(number)
    connection.acknowledge(message)


# Asking ------------------------------------------------------------------------------------------


def _list_sessions(connection: Connection, message: messages.ListSessions) -> None:
    sessions = [
        render.session_info(job)
        for job in connection.connections.registry.jobs()
        if job.request.kind == "session" and job.state == "running"
    ]
    connection.send(
        messages.SessionsList(sessions=sessions, id=message.id, request_id=message.request_id)
    )


def _list_jobs(connection: Connection, message: messages.ListJobs) -> None:
    jobs = render.job_infos(connection.connections.registry.jobs())
    connection.send(messages.JobsList(jobs=jobs, id=message.id, request_id=message.request_id))


def _stat_directory(connection: Connection, message: messages.StatDirectory) -> None:
    path = decode_name(message.path)
    if not os.path.isabs(path):
        raise InvalidMessage(f"path: expected an absolute path, got {message.path[:100]}")
    try:
        # With the dot it must be a directory, and one that may be entered (path_resolution(7)).
        found = os.stat(os.path.join(path, b"."))
    except (OSError, ValueError):
        raise NotFound(f"{message.path[:100]}: there is no directory that can be entered") from None
    connection.send(
        messages.DirectoryInfo(
            id=message.id,
            request_id=message.request_id,
            path=message.path,
            identity=f"{found.st_dev}:{found.st_ino}",
        )
    )


def _ping(connection: Connection, message: messages.Ping) -> None:
    connection.send(messages.Pong(id=message.id, request_id=message.request_id))


# Contexts ----------------------------------------------------------------------------------------

_ContextMessage = messages.GetContext | messages.SetContext | messages.ResetContext


def _answer_context(connection: Connection, message: _ContextMessage) -> None:
    state = connection.connections.registry.contexts.state_of(connection.client_id, message.context)
    connection.send(
        messages.ContextState(
            id=message.id,
            request_id=message.request_id,
            context=message.context,
            cwd=decoded(state.cwd),
            env={decoded(name): decoded(value) for name, value in sorted(state.told().items())},
        )
    )


def _set_context(connection: Connection, message: messages.SetContext) -> None:
    context = connection.connections.registry.contexts.get(connection.client_id, message.context)
    cwd = None
    if message.cwd is not None:
        cwd = os.path.join(context.state.cwd, encoded(message.cwd))
        if not os.path.isdir(cwd):
            raise InvalidMessage(f"cwd: expected a directory that exists, got {message.cwd[:100]}")
    try:
        context.edit(
            cwd=cwd,
            env=_environment(message.env),
            unset=[encoded(name) for name in message.unset],
        )
    except ValueError as error:
        raise InvalidMessage(f"env: {error}") from None
    _answer_context(connection, message)


def _reset_context(connection: Connection, message: messages.ResetContext) -> None:
    connection.connections.registry.contexts.get(connection.client_id, message.context).reset()
    _answer_context(connection, message)


# Files -------------------------------------------------------------------------------------------


def _file(connection: Connection, message: messages.FileMessage) -> None:
    if connection.connections.stopping:
        raise DaemonStopping("the daemon is stopping")
    connection.files.submit(message)


# Administration ----------------------------------------------------------------------------------


def _reload(connection: Connection, message: messages.Reload) -> None:
    connection.connections.reload()
    connection.acknowledge(message)


def _list_clients(connection: Connection, message: messages.ListClients) -> None:
    connection.send(
        messages.ClientsList(
            clients=connection.connections.clients(), id=message.id, request_id=message.request_id
        )
    )


def _stop_daemon(connection: Connection, message: messages.StopDaemon) -> None:
    connection.acknowledge(message)
    connection.connections.stop_daemon()


_HANDLERS: dict[type, Handler] = {
    messages.Execute: _execute,
    messages.StartSession: _start_session,
    messages.CancelCommand: _cancel_command,
    messages.KillSession: _kill_session,
    messages.SendInput: _send_input,
    messages.Resize: _resize,
    messages.Signal: _signal,
    messages.Attach: _attach,
    messages.Detach: _detach,
    messages.Credit: _credit,
    messages.ReadOutput: _read_output,
    messages.ListSessions: _list_sessions,
    messages.ListJobs: _list_jobs,
    messages.StatDirectory: _stat_directory,
    messages.Ping: _ping,
    messages.GetContext: _answer_context,
    messages.SetContext: _set_context,
    messages.ResetContext: _reset_context,
    messages.Reload: _reload,
    messages.ListClients: _list_clients,
    messages.StopDaemon: _stop_daemon,
    **dict.fromkeys(get_args(messages.FileMessage), _file),
}
