"""Makes a Python on POSIX take itself for one on Windows: for children that import this at start.

What Windows does not have is gone from the modules that had it, and what it has instead is done by
what is here. The standard library and the packages are imported before, for they are not what is
tested. The shell is no cmd.exe but sh, started as one would be.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import ntpath
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import aiohttp.web
import click.testing
import msgspec
import psutil

_GONE = {
    os: "O_CLOEXEC O_DIRECTORY O_NONBLOCK environb fchmod fork forkpty getpgid getsid getuid"
    " killpg memfd_create openpty pidfd_open posix_spawn posix_spawnp pread set_blocking setsid"
    " sysconf tcgetpgrp ttyname waitid",
    signal: "SIGCHLD SIGCONT SIGHUP SIGKILL SIGSTOP pidfd_send_signal pthread_sigmask siginterrupt",
    socket: "AF_UNIX SO_PEERCRED TCP_NOTSENT_LOWAT",
    asyncio: "open_unix_connection start_unix_server",
}
_NO_MODULES = "fcntl grp ptyprocess pty pwd readline resource syslog termios tty"

_kill, _killpg, _getpgid = os.kill, os.killpg, os.getpgid
_sigkill = signal.SIGKILL
_socketpair, _unix = socket.socketpair, socket.AF_UNIX
_flock, _exclusive = fcntl.flock, fcntl.LOCK_EX | fcntl.LOCK_NB
_platform, _found = sys.platform, shutil.which
_popen = subprocess.Popen.__init__

_BREAK = 1
_NEW_GROUP, _NO_WINDOW = 0x200, 0x08000000


def _windows_kill(pid: int, number: int) -> None:
    """Ctrl-Break reaches a group, which its leader names; all else is TerminateProcess."""
    if number != _BREAK:
        _kill(pid, _sigkill)
    elif _getpgid(pid) == pid:
        _killpg(pid, signal.SIGTERM)
    else:
        raise OSError(errno.EINVAL, "not a process group")


def _locking(descriptor: int, mode: int, _count: int) -> None:
    try:
        _flock(descriptor, _exclusive if mode else fcntl.LOCK_UN)
    except BlockingIOError:
        raise PermissionError(errno.EACCES, "Permission denied") from None


def _start(self: subprocess.Popen[Any], args: Any, **more: Any) -> None:
    flags = more.pop("creationflags", 0)
    if isinstance(args, str):
        args = shlex.split(args)
    _popen(self, args, start_new_session=bool(flags & _NEW_GROUP), **more)


def _which(*args: Any, **more: Any) -> str | None:
    """Find programs without an extension; on Windows a program has one."""
    sys.platform = _platform
    try:
        found: str | None = _found(*args, **more)
        return found
    finally:
        sys.platform = "win32"


def _become_windows() -> None:
    for module, names in _GONE.items():
        for name in names.split():
            if hasattr(module, name):
                delattr(module, name)
    for name in _NO_MODULES.split():
        sys.modules[name] = None  # type: ignore[assignment]
    msvcrt = types.ModuleType("msvcrt")
    vars(msvcrt).update(LK_NBLCK=1, LK_UNLCK=0, locking=_locking)
    sys.modules["msvcrt"] = msvcrt
    vars(os).update(O_BINARY=0, kill=_windows_kill)
    vars(signal).update(SIGBREAK=signal.SIGUSR2, CTRL_BREAK_EVENT=_BREAK)
    vars(subprocess).update(CREATE_NEW_PROCESS_GROUP=_NEW_GROUP, CREATE_NO_WINDOW=_NO_WINDOW)
    subprocess.Popen.__init__ = _start  # type: ignore[method-assign, assignment]
    socket.socketpair = lambda *_: _socketpair(_unix)
    shutil.which = _which  # type: ignore[assignment]
    shutil._use_fd_functions = False  # type: ignore[attr-defined]
    os.environ["COMSPEC"] = "sh"
    sys.platform = "win32"


def _be_given_a_shell() -> None:
    from shellwire.shell import find
    from shellwire.shell.dialect import Report, Start
    from shellwire.shell.powershell import PowerShell
    from shellwire.shell.state import State, Variable

    class Sh(PowerShell):
        """A sh that gets its text and reports its state by files, as PowerShell does."""

        text_file = "shell.sh"
        command_file = "command.sh"
        probe = b"SHELLWIRE_PROBE=it\\'s; export SHELLWIRE_PROBE; exit 3"

        def command_line(self, path: str) -> list[str]:
            return [self.path, path]

        def start(self, state: State, token: bytes, *, report: bool) -> Start:
            start = super().start(state, token, report=report)
            print_state = b'printf "%%s\\0" %s; pwd; printf "\\0"; env -0; printf %%s %s'
            print_state %= (token, token)
            trap = b"trap 's=$?; { %s; } >\"$d/report\"; exit $s' EXIT; " % print_state
            text = b"d=${0%/*}; " + (trap if report else b"")
            return Start((), start.env, text + b'. "$d/command.sh"\n')

        def script(self, patch: bytes, text: bytes) -> bytes:
            return text + b"\n"

        def parse(self, payload: bytes) -> Report | None:
            cwd, _, entries = payload.partition(b"\n\0")
            items = (entry.partition(b"=") for entry in entries.split(b"\0"))
            variables = {name: Variable(value) for name, _, value in items if name != b"_"}
            return Report(State(cwd, variables))

        def become(self, program: str, *, interactive: bool) -> bytes:
            return b"exec " + shlex.quote(program).encode()

    find._dialect = Sh


_become_windows()
_be_given_a_shell()
Path(os.environ.get("SIMULATED", os.devnull)).touch()
__all__ = ["aiohttp", "click", "msgspec", "ntpath", "psutil", "tempfile"]
