"""Handlers for existing jobs: output, input, signals, endings and lists."""

from __future__ import annotations

import signal as signals
from typing import TYPE_CHECKING

from shellwire.errors import InvalidMessage, NotFound, SessionError, SessionNotFound
from shellwire.jobs.model import EndedBy
from shellwire.protocol import messages
from shellwire.protocol.data import decode_data
from shellwire.server import render
from shellwire.server.handlers.start import refuse_slow_reader

if TYPE_CHECKING:
    from shellwire.jobs.job import Job
    from shellwire.protocol.requests import JobRequest as JobMessage
    from shellwire.server.connection import Connection


def _reaches_all(connection: Connection, message: object) -> bool:
    """Whether the client's role reaches the jobs of all principals with this message."""
    return connection.cells[type(message)] == "all"


def _is_passive(connection: Connection) -> bool:
    """Whether the client may only look: then its reading must neither stop nor prolong a job."""
    return messages.SendInput not in connection.cells


def _find(connection: Connection, message: JobMessage) -> Job:
    job = connection.services.registry.find(
        connection.key, message.id, everywhere=_reaches_all(connection, message)
    )
    if not _is_passive(connection):
        job.readers.touch()
    return job


def _offset(
    connection: Connection,
    job: Job,
    message: messages.Attach | messages.ReadOutput | messages.Credit,
) -> int:
    """Return the offset in a message. Raises InvalidMessage."""
    may_extend = not _is_passive(connection)
    if isinstance(message, messages.Credit):
        return job.readers.offset(message.end, "end", text=False, may_extend=may_extend)
    text = message.encoding == "utf-8"
    return job.readers.offset(message.after, "after", text=text, may_extend=may_extend)


def _listed(connection: Connection, message: object) -> list[Job]:
    whose = None if _reaches_all(connection, message) else connection.principal.name
    return connection.services.registry.jobs(whose)


# Output ------------------------------------------------------------------------------------------


def attach(connection: Connection, message: messages.Attach) -> None:
    job = _find(connection, message)
    after = _offset(connection, job, message)
    refuse_slow_reader(connection)
    followed = connection.writer.followed_job(job.key.id)
    if followed is not None:
        connection.writer.unfollow(followed)
    connection.send(render.attached(job, after, message.request_id))
    connection.writer.follow(
        job,
        message.encoding,
        after=after,
        window=message.window,
        passive=_is_passive(connection),
    )


def detach(connection: Connection, message: messages.Detach) -> None:
    connection.writer.unfollow(_find(connection, message))
    connection.acknowledge(message)


def credit(connection: Connection, message: messages.Credit) -> None:
    # A job whose output was sent to its end is no longer followed: late credit is no error.
    job = _find(connection, message)
    connection.writer.credit(job, _offset(connection, job, message))
    connection.acknowledge(message)


def read_output(connection: Connection, message: messages.ReadOutput) -> None:
    job = _find(connection, message)
    after = _offset(connection, job, message)
    until = None if message.until is None else message.until.encode()
    if until is not None and len(until) > message.max_bytes:
        raise InvalidMessage(f"until: expected at most max_bytes ({message.max_bytes}) bytes")
    passive = _is_passive(connection)
    connection.writer.read_page(job, after, until, message, passive=passive)


# Input, signals, endings -------------------------------------------------------------------------


def _find_for_input(connection: Connection, message: JobMessage) -> Job:
    try:
        return _find(connection, message)
    except NotFound as error:
        raise SessionError(str(error)) from None


def send_input(connection: Connection, message: messages.SendInput) -> None:
    data = decode_data(message.data, message.encoding, "data")
    _find_for_input(connection, message).send_input(data, close=message.close_stdin)
    connection.acknowledge(message)


def resize(connection: Connection, message: messages.Resize) -> None:
    _find_for_input(connection, message).resize(message.cols, message.rows)
    connection.acknowledge(message)


def signal(connection: Connection, message: messages.Signal) -> None:
    name = message.signal.removeprefix("SIG")
    number = signals.Signals.__members__.get(f"SIG{name}")
    if number is None:
        raise InvalidMessage(f"signal: expected a signal of this system, got {message.signal}")
    job = _find(connection, message)
    if job.state != "running":
        state = "is not running" if job.outcome is None else "has ended"
        raise NotFound(f"{job.request.kind} {message.id} {state}")
    job.signal(number)
    connection.acknowledge(message)


def cancel_command(connection: Connection, message: messages.CancelCommand) -> None:
    registry = connection.services.registry
    try:
        # File messages have ids, too. Every id is looked up before any job's name.
        principal = None if _reaches_all(connection, message) else connection.principal.name
        if not registry.has_id(message.id, principal):
            raise NotFound(f"no job has the id {message.id}")
        job = _find(connection, message)
        registry.cancel(job, _ended_by(connection, message, job))
    except NotFound:
        if not connection.cancel_file_message(message.id):
            job = _find(connection, message)
            registry.cancel(job, _ended_by(connection, message, job))
    connection.acknowledge(message)


def kill_session(connection: Connection, message: messages.KillSession) -> None:
    try:
        job = _find(connection, message)
        connection.services.registry.kill(job, _ended_by(connection, message, job))
    except NotFound as error:
        raise SessionNotFound(str(error)) from None
    connection.acknowledge(message)


def _ended_by(
    connection: Connection, message: messages.CancelCommand | messages.KillSession, job: Job
) -> EndedBy | None:
    who, reason = connection.principal.name, (message.reason or "").strip() or None
    # Whoever ends a job of his own without a reason has nothing to tell.
    return None if reason is None and who == job.key.principal else EndedBy(who, reason)


# Lists -------------------------------------------------------------------------------------------


def list_sessions(connection: Connection, message: messages.ListSessions) -> None:
    sessions = [
        render.session_info(job)
        for job in _listed(connection, message)
        if job.request.kind == "session" and job.state == "running"
    ]
    connection.send(
        messages.SessionsList(sessions=sessions, id=message.id, request_id=message.request_id)
    )


def list_jobs(connection: Connection, message: messages.ListJobs) -> None:
    jobs = render.job_infos(_listed(connection, message))
    connection.send(messages.JobsList(jobs=jobs, id=message.id, request_id=message.request_id))
