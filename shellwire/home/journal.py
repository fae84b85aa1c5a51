"""The journal of live jobs: what a daemon that was killed has left, for the next one to end.

One JSON array a line, each behind a newline of its own, so that one that was torn spoils no other::

    ["daemon", INSTANCE, START_TIME]
    ["began", TAG, KIND, CLIENT_ID, ID, TIME]
    ["ended", TAG]

It is appended to, and never flushed to disk: what a killed process has written is there, and what
a machine that has lost its power ran needs no end. When it is long, or a line could not be written,
it is written anew with what is alive. A daemon that stops in order removes it.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import re
import secrets
import stat
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from shellwire.errors import HomeError
from shellwire.home.atomic import read_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from shellwire.home.paths import Home

REWRITE_AT = 1024 * 1024
"""Bytes from which on it is written anew, with what is alive only."""

_NAME = "jobs.journal"
_HEAD_BYTES = 256

# 8 random bytes in hexadecimal digits. A shorter text could be the beginning of others' tags.
_INSTANCE = re.compile(r"[0-9a-f]{16}")

_encode = msgspec.json.Encoder().encode


class LiveJob(msgspec.Struct, frozen=True, array_like=True):
    """A job that had not been answered for."""

    tag: str
    """The value of the variable that is in the environment of its processes."""
    kind: Literal["command", "session"]
    client_id: str
    id: str
    started_at: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a killed daemon has left behind."""

    instance: str
    """What each of its tags begins with."""
    started: float
    """When it was started, as ``pidfile.start_time`` gives it."""
    jobs: tuple[LiveJob, ...]


def read_left(home: Home) -> Left | None:
    """Return what the last daemon left; None if it stopped in order, or did not get that far.

    Lines that mean nothing are passed over. So is a whole journal whose daemon lives: the home was
    copied, and the jobs are that daemon's. Raises HomeError if the file can't be read.
    """
    content = read_private(home.journal_file)
    instance, started = "", 0.0
    jobs: dict[str, LiveJob] = {}
    for entry in _entries(content or b""):
        match entry:
            case ["daemon", str(), int() | float()]:
                instance, started = entry[1:]
            case ["began", *fields]:
                with contextlib.suppress(msgspec.ValidationError):
                    job = msgspec.convert(fields, LiveJob)
                    jobs[job.tag] = job
            case ["ended", str(tag)]:
                jobs.pop(tag, None)
    if _INSTANCE.fullmatch(instance) is None or _is_kept_by_a_live_daemon(instance):
        return None
    return Left(instance, started, tuple(jobs.values()))


def _is_kept_by_a_live_daemon(instance: str) -> bool:
    """Whether another process has the journal of ``instance`` open. Only Linux can tell."""
    own = f"/proc/{os.getpid()}/"
    for path in glob.iglob("/proc/[0-9]*/fd/*"):
        if path.startswith(own):
            continue
        with contextlib.suppress(OSError):  # another user's, or one that has ended meanwhile
            if os.path.basename(os.readlink(path)).removesuffix(" (deleted)") == _NAME:
                for entry in _entries(_head_of(path)):
                    if entry[:2] == ["daemon", instance]:
                        return True
    return False


def _head_of(path: str) -> bytes:
    """Return the beginning of a file that anybody may have made; empty if it is no plain file.

    To open a FIFO may take for ever (fifo(7)). Raises OSError.
    """
    if sys.platform == "win32":
        return b""  # there is no /proc
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        is_plain = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return os.read(descriptor, _HEAD_BYTES) if is_plain else b""
    finally:
        os.close(descriptor)


def _entries(content: bytes) -> Iterator[list[Any]]:
    for line in content.splitlines():
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            entry = msgspec.json.decode(line)
            if isinstance(entry, list):
                yield entry


class Journal:
    """The journal of this daemon, ``instance``, which was started at ``started``.

    Begins with the jobs that the last one has ``left``: they are lost until this one stops. Each
    method raises HomeError when the file can't be written; what it lacks then is made up for by
    the next that can.
    """

    def __init__(self, home: Home, instance: str, started: float, left: Iterable[LiveJob]) -> None:
        self._path = home.journal_file
        self._head = _line("daemon", instance, started)
        self._live = {job.tag: _began(job) for job in left}
        self._descriptor: int | None = None
        self._size = 0
        self._rewrite_at = 0

    def begin(self) -> None:
        """Replace the last daemon's file in one step."""
        self._rewrite()

    def began(self, job: LiveJob) -> None:
        """Note that a job has started."""
        line = self._live[job.tag] = _began(job)
        self._append(line)

    def ended(self, tag: str) -> None:
        """Note that a job has been answered for."""
        if self._live.pop(tag, None) is not None:
            self._append(_line("ended", tag))

    def remove(self) -> None:
        """Remove the file: what was in it has ended."""
        try:
            # If the home was removed under us, another daemon may be at home in a new one.
            if self._descriptor is None or _names(self._path, self._descriptor):
                self._path.unlink(missing_ok=True)
        except OSError as error:
            raise HomeError(f"can't remove {self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Give the descriptor back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _append(self, line: bytes) -> None:
        if self._descriptor is None or self._size >= self._rewrite_at:
            self._rewrite()
            return
        try:
            _write(self._descriptor, line)
            self._size += len(line)
        except OSError as error:
            self._rewrite_at = 0
            raise HomeError(f"can't write {self._path}: {error.strerror}") from error

    def _rewrite(self) -> None:
        self._rewrite_at = 0
        content = b"".join((self._head, *self._live.values()))
        try:
            descriptor = _replace(self._path, content)
        except OSError as error:
            raise HomeError(f"can't write {self._path}: {error.strerror}") from error
        self.close()
        self._descriptor, self._size = descriptor, len(content)
        self._rewrite_at = self._size + REWRITE_AT


def _line(*entry: object) -> bytes:
    return b"\n" + _encode(entry)


def _began(job: LiveJob) -> bytes:
    return _line("began", *msgspec.structs.astuple(job))


def _names(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _replace(path: Path, content: bytes) -> int:
    """Put a file with ``content`` in the place of ``path``; return its descriptor, to append."""
    sibling = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
    descriptor = os.open(sibling, flags, 0o600)
    try:
        _write(descriptor, content)
        os.replace(sibling, path)
    except BaseException:
        os.close(descriptor)
        with contextlib.suppress(FileNotFoundError):
            sibling.unlink()
        raise
    return descriptor


def _write(descriptor: int, content: bytes) -> None:
    # A short write means that the disk has just become full.
    if os.write(descriptor, content) != len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
