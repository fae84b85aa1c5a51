"""Snapshots and events of jobs → messages. The only place where that is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.jobs.buffer import Gap, Piece
from shellwire.jobs.model import COMMAND_SHOWN, Notice, Outcome
from shellwire.jobs.snapshot import snapshot
from shellwire.protocol import messages
from shellwire.protocol.data import encode_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shellwire.errors import WireError
    from shellwire.jobs.job import Job
    from shellwire.jobs.long_poll import Page
    from shellwire.protocol.fields import Encoding

_MOST_SHOWN = 1024 * 1024
_LEAST_SHOWN = 64

Event = Piece | Gap | Notice | Outcome


def event(
    job: Job, happened: Event, encoding: Encoding, request_id: str | None
) -> messages.ServerMessage:
    """Return the message that tells a viewer of ``job`` what has happened."""
    job_id = job.key.id
    match happened:
        case Piece():
            return messages.Output(
                id=job_id,
                data=encode_data(happened.data, encoding),
                stream=happened.stream,  # type: ignore[arg-type]
                end=happened.end,
                background=happened.background,
            )
        case Gap():
            return messages.Gap(id=job_id, start=happened.start, to=happened.end)
        case Notice():
            return messages.Notice(id=job_id, code=happened.code, message=happened.message)
        case Outcome():
            return _outcome(job, happened, request_id)


def _outcome(job: Job, outcome: Outcome, request_id: str | None) -> messages.ServerMessage:
    if outcome.refusal is not None:
        operation = "execute" if job.request.kind == "command" else "start_session"
        return error(outcome.refusal, job.key.id, operation, request_id)
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
            # What started has been answered by session_started.
            request_id=request_id if job.pid is None else None,
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
    )


def explanation(job: Job, outcome: Outcome, encoding: Encoding) -> messages.Output | None:
    """Return the output by which release 0.1.4 said why it had ended a command, if it did."""
    if job.request.kind != "command":
        return None
    if outcome.reason == "timed_out":
        why = f"Command timed out after {job.request.timeout}s"
    elif outcome.reason == "output_limit":
        why = f"Output truncated at {job.request.max_output_bytes} bytes"
    else:
        return None
    data = encode_data(f"\n[shellwire] {why}\n".encode(), encoding)
    # It is in no buffer, and so it has no offset of its own.
    return messages.Output(id=job.key.id, data=data, stream="stderr", end=outcome.at)


def _collected(text: str, *, binary: bool) -> str:
    if not binary:
        return text
    # Bytes were collected one character each; the notice between head and tail is not of them.
    return encode_data(text.replace("…", "...").encode("latin-1"), "base64")


def error(
    problem: WireError, job_id: str | None, operation: str | None, request_id: str | None
) -> messages.Error:
    """Return the answer to a message that was refused."""
    return messages.Error(
        id=job_id if request_id is None else request_id,
        message=str(problem),
        code=problem.code,
        operation=operation,
        request_id=request_id,
    )


def attached(job: Job, after: int, request_id: str | None) -> messages.Attached:
    """Return the answer to ``attach``."""
    cols, rows = job.size or (None, None)
    return messages.Attached(
        id=job.key.id,
        after=after,
        end=job.buffer.end,
        state=job.state,
        kind=job.request.kind,
        cols=cols,
        rows=rows,
        request_id=request_id,
    )


def output_page(job: Job, page: Page, question: messages.ReadOutput) -> messages.OutputPage:
    """Return the answer to ``read_output``."""
    gap = page.gap
    return messages.OutputPage(
        id=job.key.id,
        chunks=[
            messages.Chunk(
                stream=piece.stream,  # type: ignore[arg-type]
                data=encode_data(piece.data, question.encoding),
                end=piece.end,
            )
            for piece in page.pieces
        ],
        end=page.end,
        state=page.state,
        gap=None if gap is None else messages.Missing(start=gap.start, to=gap.end),
        exit_code=page.exit_code,
        matched=None if question.until is None else page.matched,
        request_id=question.request_id,
    )


def job_infos(jobs: Sequence[Job]) -> list[messages.JobInfo]:
    """Return what ``jobs_list`` and ``status.jobs`` tell: of many jobs less of each."""
    shown = max(_LEAST_SHOWN, min(COMMAND_SHOWN, _MOST_SHOWN // max(1, len(jobs))))
    return [_job_info(job, shown) for job in jobs]


def _job_info(job: Job, shown: int) -> messages.JobInfo:
    now = snapshot(job)
    return messages.JobInfo(
        id=now.key.id,
        kind=now.kind,
        state=now.state,
        client_id=now.key.client_id,
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
