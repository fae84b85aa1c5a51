"""Starting a process: its own session, clean signals, and exactly the descriptors it is given."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

from shellwire.errors import SpawnError
from shellwire.process import fork
from shellwire.process.limits import hand_back

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A source descriptor at or above this can't be one of the numbers a child is given; and it is low
# enough where 256 descriptors are all that a process may have.
_SAFE_FD = 220

# Bash keeps the descriptors it saves at 10 and above (redir.c, SHELL_FD_BASE); the shells' prologue
# counts on finding those free, whatever the daemon itself was started with.
_KEEP_FREE = (10, 11, 12, 13)

# On Linux a session leader acquires the first terminal that it opens without O_NOCTTY (tty(4)).
_OPENING_ACQUIRES = sys.platform in ("linux", "android")

_DEFAULTED = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


def private_file(content: bytes = b"") -> int:
    """Return a descriptor of a file that has no name, at offset 0, holding ``content``.

    memfd_create(2) where there is one; elsewhere a temporary file that is unlinked at once.
    """
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("shellwire", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        os.lseek(fd, 0, os.SEEK_SET)
    except OSError:
        os.close(fd)
        raise
    return fd


def spawn(
    argv: Sequence[bytes],
    env: Mapping[bytes, bytes],
    descriptors: Mapping[int, int],
    *,
    tty: str | None = None,
    name: bytes | None = None,
) -> int:
    """Start ``argv`` as the leader of a new session and return its pid.

    ``argv[0]`` is an absolute path; the child sees ``name`` instead, or its last component.
    ``descriptors`` maps the child's numbers to ours; it inherits nothing else, for everything the
    daemon opens is close-on-exec. With ``tty``, the path of a terminal, that becomes the
    controlling terminal and descriptors 0 to 2. Every signal has its default action and none is
    blocked, however the daemon itself was started; its limit of descriptors is the one that the
    daemon was started with, from a moment after its start: before it is told what to run. The child
    starts in the daemon's directory.

    Raises SpawnError with the system's reason.
    """
    program, argv = argv[0], [name or os.path.basename(argv[0]), *argv[1:]]
    moved: dict[int, int] = {}
    targets = {*descriptors, *_KEEP_FREE, *((0, 1, 2) if tty is not None else ())}
    try:
        apart: dict[int, int] = {}
        for target, source in descriptors.items():
            # A source could carry the number of an earlier target: move it out of the way.
            if source < _SAFE_FD and source in targets:
                if source not in moved:
                    moved[source] = fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, _SAFE_FD)
                source = moved[source]
            apart[target] = source
        if hasattr(os, "posix_spawn") and (tty is None or _OPENING_ACQUIRES):
            with contextlib.suppress(NotImplementedError):  # no POSIX_SPAWN_SETSID
                return _given_back(_posix_spawn(program, argv, env, apart, tty))
        return _given_back(fork.start(program, argv, env, apart, tty=tty, defaulted=_DEFAULTED))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SpawnError(f"cannot start {os.fsdecode(program)}: {reason}") from error
    finally:
        for fd in moved.values():
            with contextlib.suppress(OSError):
                os.close(fd)


def _given_back(pid: int) -> int:
    hand_back(pid)
    return pid


def _posix_spawn(
    program: bytes,
    argv: list[bytes],
    env: Mapping[bytes, bytes],
    descriptors: Mapping[int, int],
    tty: str | None,
) -> int:
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = []
    actions.extend((os.POSIX_SPAWN_CLOSE, fd) for fd in _KEEP_FREE)
    if tty is not None:
        actions.append((os.POSIX_SPAWN_OPEN, 0, tty, os.O_RDWR, 0))
        actions.extend((os.POSIX_SPAWN_DUP2, 0, fd) for fd in (1, 2))
    actions.extend((os.POSIX_SPAWN_DUP2, source, fd) for fd, source in descriptors.items())
    return os.posix_spawn(
        program,
        argv,
        env,
        file_actions=actions,
        setsid=True,
        setsigmask=(),
        setsigdef=_DEFAULTED,
    )
