"""What may be said about a command or a shell beside its text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shellwire.client.results import Message


class Options(TypedDict, total=False):
    """What commands and shells have in common."""

    cwd: str
    """Where it runs; a relative path counts from the context's directory, which is the default."""

    env: Mapping[str, str]
    """Variables for it alone, over the context's."""

    context: str
    """The context that it starts from; ``default`` is the client_id's own."""

    cols: int
    """Its terminal's width in characters; 80 unless given."""

    rows: int
    """Its terminal's height in lines; 24 unless given."""

    name: str
    """A second name, by which it is found too: 1 to 64 letters, digits, `.`, `_` and `-`, unique
    among the jobs that live."""

    detach_ttl: float
    """Seconds that it runs without this client since it was used last; 0 is for ever, and the
    daemon's ``--detach-ttl`` is the default."""

    max_output_bytes: int | None
    """Bytes of output after which it is ended; 0, which is the default here, is no limit, and None
    is the daemon's."""


class CommandOptions(Options, total=False):
    """What ``run`` and ``stream`` take beside the command."""

    timeout: float | None
    """Seconds after which it is ended; None, which is the default here, and 0 mean never."""

    input: str | bytes
    """What it reads from its standard input, which is at its end otherwise."""

    open_stdin: bool
    """Keep its input open, for ``Job.write`` and ``Job.close_stdin``."""

    pty: bool
    """Give it a terminal."""

    collect: bool
    """Get nothing while it runs, and in ``Result`` of each stream the head and the tail."""

    max_chars: int
    """With ``collect``: characters kept of each stream; 50,000 unless given."""


class ShellOptions(Options, total=False):
    """What ``shell`` and ``start`` take beside the command."""

    pty: bool
    """Give it a terminal; ``shell`` does unless told otherwise, ``start`` does not."""


# In one frame with the command, escaped, whatever its characters: 16 MiB are allowed.
MAX_STDIN_DATA = 1024 * 1024
"""Bytes of input that go with the command; what is longer, or no text, follows it."""


def execute(job_id: str, command: str, options: CommandOptions) -> Message:
    """Return the request. It lets the input be sent later if that does not fit into it."""
    fields: dict[str, Any] = dict(options)
    given = fields.pop("input", None)
    request = _request("execute", job_id, command, fields)
    request["timeout"] = fields.pop("timeout", None) or 0
    request["is_pty"] = fields.pop("pty", False)
    if fields.get("collect"):
        request["encoding"] = "utf-8"  # what is collected is cut between characters
    if given is not None:
        text = as_stdin_data(given)
        request |= {"open_stdin": True} if text is None else {"stdin_data": text}
    return request | fields


def as_stdin_data(given: str | bytes) -> str | None:
    """Return input as ``stdin_data`` can have it, None if it can't."""
    if len(given) > MAX_STDIN_DATA:
        return None
    if isinstance(given, str):
        return given
    try:
        return given.decode()
    except UnicodeDecodeError:
        return None


def start_session(job_id: str, command: str | None, options: ShellOptions) -> Message:
    """Return the request."""
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
