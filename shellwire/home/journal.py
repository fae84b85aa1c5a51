"""The journal of live jobs: the next daemon reads it to end the jobs of a crashed one.

It has one JSON array per line. Each line begins with a newline, so that a torn line spoils no
other::

    ["daemon", INSTANCE, START_TIME]
    ["began", TAG, KIND, CLIENT_ID, ID, TIME, PRINCIPAL]
    ["ended", TAG]

In the lines of earlier releases PRINCIPAL is missing: their jobs are the owner's.

The file is appended to, and never flushed to disk: data written by a killed process stays in the
file, and after a power cut no job is left to end. When it is long, or a line could not be written,
it is rewritten with the live jobs only. A daemon that stops in order removes it.
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
from shellwire.principals import OWNER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from shellwire.home.paths import Home

REWRITE_AT = 1024 * 1024
"""Bytes that may be appended before the journal is rewritten with the live jobs only."""

_NAME = "jobs.journal"
_HEAD_BYTES = 256

# 8 random bytes as hexadecimal digits. A shorter text could be a prefix of other daemons' tags.
_INSTANCE = re.compile(r"[0-9a-f]{16}")

_encode = msgspec.json.Encoder().encode


class LiveJob(msgspec.Struct, frozen=True, array_like=True):
    """A job whose terminal message has not been sent."""

    tag: str
    """The value of the tag variable in the environment of its processes."""
    kind: Literal["command", "session"]
    client_id: str
    id: str
    started_at: float
    """Seconds since the epoch."""
    principal: str = OWNER


@dataclass(frozen=True, slots=True)
class CrashedDaemon:
    """A crashed daemon, and the jobs that it left behind."""

    instance: str
    """The prefix of its tags."""
    started: float
    """Its start time, as returned by ``pidfile.start_time``."""
    jobs: tuple[LiveJob, ...]


def read_crashed(home: Home) -> CrashedDaemon | None:
    """Return the last daemon if it crashed; None if it stopped in order, or wrote no journal.

    Invalid lines are skipped. A journal whose daemon lives is ignored: the home was copied, and
    the jobs belong to that daemon. Raises HomeError if the file can't be read.
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
    if _INSTANCE.fullmatch(instance) is None or _has_live_daemon(instance):
        return None
    return CrashedDaemon(instance, started, tuple(jobs.values()))


def _has_live_daemon(instance: str) -> bool:
    """Whether another process has the journal of ``instance`` open; known on Linux only."""
    own = f"/proc/{os.getpid()}/"
    for path in glob.iglob("/proc/[0-9]*/fd/*"):
        if path.startswith(own):
            continue
        with contextlib.suppress(OSError):  # another user's process, or it has ended meanwhile
            if os.path.basename(os.readlink(path)).removesuffix(" (deleted)") == _NAME:
                for entry in _entries(_head_of(path)):
                    if entry[:2] == ["daemon", instance]:
                        return True
    return False


def _head_of(path: str) -> bytes:
    """Return the first bytes of a file that any user may have made; empty if it is not regular.

    Opening a FIFO could block for ever (fifo(7)), hence O_NONBLOCK. Raises OSError.
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

    It begins with the jobs that the crashed daemon ``left`` behind. They stay in it, as lost, until
    this daemon stops. Each method raises HomeError if the file can't be written; the next write
    that succeeds adds the missing lines.
    """

    def __init__(self, home: Home, instance: str, started: float, left: Iterable[LiveJob]) -> None:
        self._path = home.journal_file
        self._head = _line("daemon", instance, started)
        self._live = {job.tag: _began(job) for job in left}
        self._descriptor: int | None = None
        self._size = 0
        self._rewrite_at = 0

    def begin(self) -> None:
        """Replace the last daemon's journal atomically."""
        self._rewrite()

    def began(self, job: LiveJob) -> None:
        """Record that a job has started."""
        line = self._live[job.tag] = _began(job)
        self._append(line)

    def ended(self, tag: str) -> None:
        """Record that a job has its outcome, and its leader is reaped."""
        if self._live.pop(tag, None) is not None:
            self._append(_line("ended", tag))

    def remove(self) -> None:
        """Remove the file: all jobs in it have ended."""
        try:
            # If the home was removed under us, the file may be another daemon's in a new home.
            if self._descriptor is None or _names(self._path, self._descriptor):
                self._path.unlink(missing_ok=True)
        except OSError as error:
            raise HomeError(f"can't remove {self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Close the file."""
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
    """Replace ``path`` by a file with ``content``; return its descriptor for appending."""
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
    # A short write means that the disk is full.
    if os.write(descriptor, content) != len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
