"""File locks: one daemon per home, one writer at a time.

The locks are those of flock(2), on Windows of LockFile. The kernel releases them when their holder
ends, however it ends, so none is ever stale. The descriptors are close-on-exec, so that commands of
the daemon don't hold the locks.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from shellwire.errors import AlreadyRunning, HomeError
from shellwire.home.ownership import check_owner

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shellwire.home.paths import Home

LOCK_TIMEOUT = 5.0
"""Seconds to wait for another writer. It holds the lock for milliseconds, unless stopped."""

_RETRY = 0.01
_PROC_LOCKS = Path("/proc/locks")


@contextlib.contextmanager
def daemon_lock(home: Home) -> Iterator[None]:
    """Hold the daemon lock of ``home`` while the block runs.

    Raises AlreadyRunning if another daemon runs or is starting.
    """
    with _opened(home.lock_file) as descriptor:
        if not _try_lock(descriptor, home.lock_file):
            raise AlreadyRunning(f"a daemon already runs, or starts, in {home.root}")
        yield


def daemon_lock_holder(home: Home) -> int | None:
    """Return the pid of the daemon that holds the lock of ``home``, even if that was removed.

    None if no daemon holds it, or without /proc/locks (proc(5)).
    """
    try:
        lines = _PROC_LOCKS.read_text().splitlines()
    except OSError:
        return None
    name = os.path.join(os.path.realpath(home.root), home.lock_file.name)
    # The kernel appends this to the name of an unlinked file.
    names = {name, f"{name} (deleted)"}
    for line in lines:
        # A lock that is waited for has an arrow before its kind.
        _, kind, _, _, pid, *_ = line.split()
        if kind == "FLOCK" and not names.isdisjoint(_open_files(pid)):
            return int(pid)
    return None


def holds_daemon_lock(home: Home, pid: int) -> bool | None:
    """Whether process ``pid`` has the lock file of ``home`` open, as its daemon does.

    None without /proc/PID/fd (proc(5)).
    """
    if not os.path.isdir("/proc/self/fd"):
        return None
    try:
        lock = os.stat(home.lock_file)
    except OSError:
        return False
    name = f"/{home.lock_file.name}"
    for descriptor, path in _open_descriptors(str(pid)):
        if path.endswith((name, f"{name} (deleted)")):
            with contextlib.suppress(OSError):
                if os.path.samestat(os.stat(f"/proc/{pid}/fd/{descriptor}"), lock):
                    return True
    return False


def _open_files(pid: str) -> Iterator[str]:
    return (path for _, path in _open_descriptors(pid))


def _open_descriptors(pid: str) -> Iterator[tuple[str, str]]:
    with contextlib.suppress(OSError):  # it has ended, or we may not read its descriptors
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                yield descriptor, os.readlink(f"/proc/{pid}/fd/{descriptor}")


@contextlib.contextmanager
def write_lock(home: Home, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
    """Hold the write lock, which every change of a file of ``home`` takes, while the block runs.

    Raises HomeError if another process still holds the lock after ``timeout`` seconds.
    """
    path = home.write_lock_file
    deadline = time.monotonic() + timeout
    with _opened(path) as descriptor:
        while not _try_lock(descriptor, path):
            if time.monotonic() >= deadline:
                raise HomeError(f"another process has held {path} for {timeout:g} s")
            time.sleep(_RETRY)
        yield


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[Callable[[], bool]]:
    """Yield a function that tries to lock a file, which is created if missing.

    The function returns whether the lock is now held; it is released when the block ends. Both
    raise HomeError.
    """
    with _opened(path) as descriptor:
        yield lambda: _try_lock(descriptor, path)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise HomeError(f"can't open {path}: {error.strerror}") from error
    try:
        check_owner(path, os.fstat(descriptor))
        yield descriptor
    finally:
        # Closing is not enough: a child before its exec still has a copy of the descriptor, and
        # Windows unlocks late.
        if sys.platform != "win32":
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        else:
            with contextlib.suppress(OSError):  # we may never have held the lock
                msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        os.close(descriptor)


def _try_lock(descriptor: int, path: Path) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if sys.platform == "win32" and error.errno == errno.EACCES:
            return False
        raise HomeError(f"can't lock {path}: {error.strerror}") from error
    return True
