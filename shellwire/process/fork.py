"""Start a process by fork and exec, where posix_spawn(3) is missing or lacks a feature.

Python for Android is built without posix_spawn; some C libraries lack POSIX_SPAWN_SETSID; and only
on Linux does a session leader acquire a terminal by opening it. In these cases the interpreter is
forked, and Python makes a few system calls between fork and exec. That is slower, and only the
calls needed are made: another thread may hold any lock at the fork.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import termios
import warnings
from contextlib import ExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_STANDARD = 3


def start(
    program: bytes,
    argv: Sequence[bytes],
    env: Mapping[bytes, bytes],
    descriptors: Mapping[int, int],
    *,
    tty: str | None,
    defaulted: Sequence[signal.Signals],
) -> int:
    """Start a process as ``spawn`` documents. No source in ``descriptors`` is also a target.

    Raises OSError, ValueError or SubprocessError.
    """
    with ExitStack() as held:
        if tty is not None:
            slave = os.open(tty, os.O_RDWR | os.O_NOCTTY)
            held.callback(os.close, slave)
            descriptors = {**descriptors, 0: slave, 1: slave, 2: slave}
        for target, source in descriptors.items():
            # Occupy the number: Popen's own pipe might get it, and the child would overwrite that.
            held.callback(os.close, fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, target))

        def prepare() -> None:
            for target, source in descriptors.items():
                os.dup2(source, target)
            if tty is not None:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            for number in defaulted:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())

        with warnings.catch_warnings():
            # Python 3.12 and later warn about fork in a process with threads; see above.
            warnings.simplefilter("ignore", DeprecationWarning)
            process = subprocess.Popen(
                argv,
                executable=program,
                env=env,
                pass_fds=[target for target in descriptors if target >= _STANDARD],
                start_new_session=True,
                preexec_fn=prepare,
            )
    # Only the Reaper may wait for this pid: Popen must not.
    process.returncode = 0
    return process.pid
