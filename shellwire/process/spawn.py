"""Start a process in its own session, with default signals and exactly the given descriptors."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

from shellwire.errors import SpawnError
from shellwire.process import fork
from shellwire.process.limits import restore_limit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

log = logging.getLogger(__name__)

# No child gets a descriptor at or above this number, so a source moved there is safe. It is low
# enough for systems that allow a process 256 descriptors.
_SAFE_FD = 220

# Bash saves descriptors at 10 and above (redir.c, SHELL_FD_BASE). The shells' prologue relies on
# these numbers being free, whatever the daemon itself inherited.
_KEEP_FREE = (10, 11, 12, 13)

# On Linux a session leader acquires the first terminal that it opens without O_NOCTTY (tty(4)).
_OPENING_ACQUIRES = sys.platform in ("linux", "android")

_DEFAULTED = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


def private_file(content: bytes = b"") -> int:
    """Return a descriptor of an unnamed file that holds ``content``, at offset 0.

    It is made by memfd_create(2) where that exists, else as a temporary file unlinked at once.
    """
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("shellwire", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    written = 0
    try:
        while written < len(content):
            # Leaves the offset at 0, unlike write(2).
            written += os.pwrite(fd, content[written:], written)
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

    ``argv[0]`` is an absolute path; the child sees ``name`` instead, or the path's last component.
    ``descriptors`` maps the child's numbers to ours; the child inherits no others, for everything
    that the daemon opens is close-on-exec. ``tty``, the path of a terminal, becomes the
    controlling terminal and descriptors 0 to 2. Every signal has its default action and none is
    blocked, however the daemon was started. The limit of descriptors is the one that the daemon
    was started with; it is set just after the start, before a shell gets its command. The child
    starts in the daemon's directory.

    Raises SpawnError with the system's reason.
    """
    program, argv = argv[0], [name or os.path.basename(argv[0]), *argv[1:]]
    moved: dict[int, int] = {}
    targets = {*descriptors, *_KEEP_FREE, *((0, 1, 2) if tty is not None else ())}
    try:
        apart: dict[int, int] = {}
        for target, source in descriptors.items():
            # A source may have the number of an earlier target: move it out of the way.
            if source < _SAFE_FD and source in targets:
                if source not in moved:
                    moved[source] = fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, _SAFE_FD)
                source = moved[source]
            apart[target] = source
        if hasattr(os, "posix_spawn") and (tty is None or _OPENING_ACQUIRES):
            try:
                return _with_original_limit(_posix_spawn(program, argv, env, apart, tty))
            except NotImplementedError:
                log.debug("no POSIX_SPAWN_SETSID: forking instead")
        return _with_original_limit(
            fork.start(program, argv, env, apart, tty=tty, defaulted=_DEFAULTED)
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SpawnError(f"cannot start {os.fsdecode(program)}: {reason}") from error
    finally:
        for fd in moved.values():
            with contextlib.suppress(OSError):
                os.close(fd)


def _with_original_limit(pid: int) -> int:
    restore_limit(pid)
    return pid


def _posix_spawn(
    program: bytes,
    argv: list[bytes],
    env: Mapping[bytes, bytes],
    descriptors: Mapping[int, int],
    tty: str | None,
) -> int:
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]]
    actions = [(os.POSIX_SPAWN_CLOSE, fd) for fd in _KEEP_FREE]
    if tty is not None:
        actions.append((os.POSIX_SPAWN_OPEN, 0, tty, os.O_RDWR, 0))
        actions += [(os.POSIX_SPAWN_DUP2, 0, fd) for fd in (1, 2)]
    actions += [(os.POSIX_SPAWN_DUP2, source, fd) for fd, source in descriptors.items()]
    return os.posix_spawn(
        program,
        argv,
        env,
        file_actions=actions,
        setsid=True,
        setsigmask=(),
        setsigdef=_DEFAULTED,
    )
