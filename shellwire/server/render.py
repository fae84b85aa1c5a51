"""Convert snapshots and events of jobs to messages; the only module that does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.errors import Forbidden
from shellwire.jobs.buffer import Gap, Piece
from shellwire.jobs.model import COMMAND_SHOWN, Notice, Outcome
from shellwire.jobs.snapshot import snapshot, state_of
from shellwire.protocol import messages
from shellwire.protocol.data import encode_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shellwire.errors import WireError
    from shellwire.jobs.job import Job
    from shellwire.jobs.long_poll import Page
    from shellwire.jobs.quota import Share
    from shellwire.protocol.fields import Encoding

_MAX_SHOWN_IN_ALL = 1024 * 1024
_MIN_SHOWN = 64

ROLE_ENDED = "the role that allowed this has ended"
"""The text of FORBIDDEN for what an elevation had allowed."""

Event = Piece | Gap | Notice | Outcome


def event_message(
    job: Job, event: Event, encoding: Encoding, request_id: str | None, share: Share
) -> messages.ServerMessage:
    """Return the message that reports an event of ``job`` to a viewer.

    ``share`` says what the viewer may see of others.
    """
    job_id = job.key.id
    match event:
        case Piece():
            return messages.Output(
                id=job_id,
                data=encode_data(event.data, encoding),
                stream=event.stream,  # type: ignore[arg-type]
                end=event.end,
                background=event.background,
            )
        case Gap():
            return messages.Gap(id=job_id, start=event.start, to=event.end)
        case Notice():
            return messages.Notice(id=job_id, code=event.code, message=event.message)
        case Outcome():
            return _terminal_message(job, event, request_id, share)


def _terminal_message(
    job: Job, outcome: Outcome, request_id: str | None, share: Share
) -> messages.ServerMessage:
    by = _ended_by(job, outcome, share)
    message = outcome.ended_by.message if outcome.ended_by is not None else None
    if outcome.refusal is not None:
        operation = "execute" if job.request.kind == "command" else "start_session"
        return _error(outcome.refusal, job.key.id, operation, request_id, by)
    duration_ms = round(outcome.duration * 1000, 3)
    if job.request.kind == "session":
        return messages.SessionEnded(
            id=job.key.id,
            exit_code=outcome.exit_code,
            duration_ms=duration_ms,
            error=outcome.error,
            reason=outcome.reason,
            signal=outcome.signal,
            left=list(outcome.left),
            # A session that started has already been answered with session_started.
            request_id=request_id if job.pid is None else None,
            message=message,
            by=by,
        )
    collected = outcome.collected
    return messages.Result(
        id=job.key.id,
        request_id=request_id,
        exit_code=outcome.exit_code,
        duration_ms=duration_ms,
        error=outcome.error,
        reason=outcome.reason,
        signal=outcome.signal,
        cwd=outcome.cwd,
        committed=outcome.committed,
        bytes=messages.ByteCounts(stdout=outcome.totals[0], stderr=outcome.totals[1]),
        stdout=_collected(collected.stdout, binary=job.request.binary) if collected else None,
        stderr=_collected(collected.stderr, binary=job.request.binary) if collected else None,
        truncated=collected.truncated if collected else None,
        left=list(outcome.left),
        message=message,
        by=by,
    )


def _ended_by(job: Job, outcome: Outcome, share: Share) -> str | None:
    """Return whose message ended the job. Its own principal is told: it was meant."""
    by = outcome.ended_by.principal if outcome.ended_by is not None else None
    if by is None or share.sees_all or share.principal in (by, job.key.principal):
        return by
    return "another user"


def explanation(job: Job, outcome: Outcome, encoding: Encoding) -> messages.Output | None:
    """Return the output with which release 0.1.4 explained why it ended a command, or None."""
    if job.request.kind != "command":
        return None
    if outcome.reason == "timed_out":
        why = f"Command timed out after {job.request.timeout}s"
    elif outcome.reason == "output_limit":
        why = f"Output truncated at {job.request.max_output_bytes} bytes"
    else:
        return None
    data = encode_data(f"\n[shellwire] {why}\n".encode(), encoding)
    # This output is in no buffer, so it has no offset of its own.
    return messages.Output(id=job.key.id, data=data, stream="stderr", end=outcome.at)


def _collected(text: str, *, binary: bool) -> str:
    if not binary:
        return text
    # Each byte was collected as one character; the notice between head and tail is text.
    return encode_data(text.replace("…", "...").encode("latin-1"), "base64")


def _error(
    problem: WireError,
    job_id: str | None,
    operation: str | None,
    request_id: str | None,
    by: str | None = None,
) -> messages.Error:
    """Return the error that answers a refused message."""
    return messages.Error(
        id=job_id if request_id is None else request_id,
        message=str(problem),
        code=problem.code,
        operation=operation,
        request_id=request_id,
        by=by,
    )


def no_longer_attached(job: Job) -> messages.Error:
    """Return what a client gets that may not follow ``job`` any more."""
    return _error(Forbidden(ROLE_ENDED), job.key.id, "attach", None)


def attached(job: Job, after: int, request_id: str | None) -> messages.Attached:
    """Return the answer to ``attach``."""
    cols, rows = job.size or (None, None)
    return messages.Attached(
        id=job.key.id,
        after=after,
        end=job.buffer.end,
        state=state_of(job),
        kind=job.request.kind,
        cols=cols,
        rows=rows,
        request_id=request_id,
    )


def output_page(job: Job, page: Page, request: messages.ReadOutput) -> messages.OutputPage:
    """Return the answer to ``read_output``."""
    gap = page.gap
    return messages.OutputPage(
        id=job.key.id,
        chunks=[
            messages.Chunk(
                stream=piece.stream,  # type: ignore[arg-type]
                data=encode_data(piece.data, request.encoding),
                end=piece.end,
            )
            for piece in page.pieces
        ],
        end=page.end,
        state=page.state,
        gap=None if gap is None else messages.Missing(start=gap.start, to=gap.end),
        exit_code=page.exit_code,
        matched=None if request.until is None else page.matched,
        request_id=request.request_id,
    )


def job_infos(jobs: Sequence[Job]) -> list[messages.JobInfo]:
    """Return the entries of ``jobs_list`` and ``status.jobs``; with many jobs, shorten commands."""
    shown = max(_MIN_SHOWN, min(COMMAND_SHOWN, _MAX_SHOWN_IN_ALL // max(1, len(jobs))))
    return [_job_info(job, shown) for job in jobs]


def _job_info(job: Job, shown: int) -> messages.JobInfo:
    now = snapshot(job)
    return messages.JobInfo(
        id=now.key.id,
        kind=now.kind,
        state=now.state,
        client_id=now.key.client_id,
        principal=now.key.principal,
        command=now.command[:shown],
        context=now.context,
        cwd=None if now.cwd is None else now.cwd[:COMMAND_SHOWN],
        pid=now.pid,
        pids=list(now.pids),
        is_pty=now.size is not None,
        cols=now.size[0] if now.size else None,
        rows=now.size[1] if now.size else None,
        started_at=now.started_at,
        ended_at=now.ended_at,
        exit_code=now.outcome.exit_code if now.outcome else None,
        reason=now.outcome.reason if now.outcome else None,
        end=now.end,
        start=now.start,
        name=now.name,
        last_used_at=now.touched_at,
        elevated=job.request.elevated is not None,
    )


def session_info(job: Job) -> messages.SessionInfo:
    """Return one entry of ``sessions_list``."""
    now = snapshot(job)
    return messages.SessionInfo(
        id=now.key.id,
        pid=now.pid or -1,
        command=now.command,
        started_at=now.started_at or 0.0,
        uptime_seconds=now.uptime,
        is_running=now.state == "running",
        is_pty=now.size is not None,
        recent_output=job.readers.recent_output(),
    )
