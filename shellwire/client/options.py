"""Options of commands and sessions, and the requests made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shellwire.client.results import Message


class Options(TypedDict, total=False):
    """Options of commands and sessions alike."""

    cwd: str
    """Working directory; relative to the context's directory, which is the default."""

    env: Mapping[str, str]
    """Variables for this job only; they override the context's."""

    context: str
    """Context to start from; the default ``default`` belongs to this client_id."""

    cols: int
    """Width of the terminal in characters; default 80."""

    rows: int
    """Height of the terminal in lines; default 24."""

    name: str
    """A second name for the job, accepted wherever its id is: 1 to 64 letters, digits, `.`, `_` and
    `-`, unique among live jobs."""

    detach_ttl: float
    """Seconds that the job may run without its client and unused before the daemon ends it; 0: no
    limit. Default: the daemon's ``--detach-ttl``."""

    max_output_bytes: int | None
    """Bytes of output after which the job is ended; 0, the default here: no limit; None: the
    daemon's default."""


class CommandOptions(Options, total=False):
    """Options of ``run`` and ``stream``."""

    timeout: float | None
    """Seconds after which the command is ended; None, the default here, and 0: never."""

    input: str | bytes
    """Its standard input; empty by default."""

    open_stdin: bool
    """Keep standard input open for ``Job.write`` and ``Job.close_stdin``."""

    pty: bool
    """Run on a terminal."""

    collect: bool
    """Send no output while it runs; ``Result`` then has the head and tail of each stream."""

    max_chars: int
    """With ``collect``: characters to keep of each stream; default 50,000."""


class ShellOptions(Options, total=False):
    """Options of ``shell`` and ``start``."""

    pty: bool
    """Run on a terminal: the default of ``shell``, not of ``start``."""


# Escaped, whatever its characters, it must fit in one frame of 16 MiB with the command.
MAX_STDIN_DATA = 1024 * 1024
"""Bytes of input sent with the command; longer input, or input that is not text, is sent after
it."""


def execute(job_id: str, command: str, options: CommandOptions) -> Message:
    """Return an ``execute`` request, without input that does not fit: send that afterwards."""
    fields: dict[str, Any] = dict(options)
    given = fields.pop("input", None)
    request = _request("execute", job_id, command, fields)
    request["timeout"] = fields.pop("timeout", None) or 0
    request["is_pty"] = fields.pop("pty", False)
    if fields.get("collect"):
        request["encoding"] = "utf-8"  # collected output is cut between characters
    if given is not None:
        text = as_stdin_data(given)
        request |= {"open_stdin": True} if text is None else {"stdin_data": text}
    return request | fields


def as_stdin_data(given: str | bytes) -> str | None:
    """Return input as text for ``stdin_data``; None if it is too long or not text."""
    if len(given) > MAX_STDIN_DATA:
        return None
    if isinstance(given, str):
        return given
    try:
        return given.decode()
    except UnicodeDecodeError:
        return None


def start_session(job_id: str, command: str | None, options: ShellOptions) -> Message:
    """Return a ``start_session`` request."""
    fields: dict[str, Any] = dict(options)
    request = _request("start_session", job_id, command, fields)
    request["use_pty"] = fields.pop("pty", False)
    return request | fields


def _request(kind: str, job_id: str, command: str | None, fields: dict[str, Any]) -> Message:
    fields["env"] = dict(fields.pop("env", None) or {})
    fields.setdefault("max_output_bytes", 0)
    return {
        "type": kind,
        "id": job_id,
        "command": command,
        "encoding": "base64",
    }
