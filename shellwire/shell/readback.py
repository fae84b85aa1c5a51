"""Whether the functions that a shell printed are the same when a shell reads them back.

Bash 5.2 prints some commands in a way that it reads back as others, or not at all: ``coproc cat``,
the pattern ``(esac)``, a list that ends in ``\\&`` before ``do`` or ``then``. Which these are
depends on its version. So new functions are restored once in a shell that does nothing else, and
what that shell reports is compared.
"""

from __future__ import annotations

import os
import secrets
import select
import signal
import sys
import time
from typing import TYPE_CHECKING

from shellwire.errors import PtyUnavailable, SpawnError
from shellwire.process import proc
from shellwire.shell.launch import launch
from shellwire.shell.shell import Stdio
from shellwire.shell.state import Function, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shellwire.shell.dialect import Dialect

SECONDS = 3.0
"""Seconds for all rounds together: the daemon waits for them, and a round takes 2 ms."""

_ROUNDS = 8


def unreadable(
    dialect: Dialect, state: State, functions: Mapping[bytes, Function]
) -> frozenset[bytes]:
    """Return the names of those ``functions`` that can't be restored as they are.

    ``state`` says in which locale the shell reads them.
    """
    locale = {
        name: variable
        for name, variable in state.variables.items()
        if name.startswith(b"LC_") or name == b"LANG"
    }
    left = dict(functions)
    broken: set[bytes] = set()
    deadline = time.monotonic() + SECONDS
    for _ in range(_ROUNDS):
        found = _restored(dialect, State(b"/", locale, left), deadline)
        missing = [name for name in left if name not in found]
        wrong = [name for name, read in found.items() if name in left and left[name] != read]
        # One that is a syntax error keeps those behind it from being read.
        broken.update(wrong, missing[:1])
        if not missing:
            return frozenset(broken)
        left = {name: function for name, function in left.items() if name not in broken}
        if time.monotonic() > deadline:
            break
    return frozenset({*broken, *left})


def _restored(dialect: Dialect, state: State, deadline: float) -> Mapping[bytes, Function]:
    """Return the functions that a shell has which was started in ``state``."""
    tag = b"readback." + secrets.token_hex(8).encode()
    try:
        shell = launch(dialect, state, Stdio(), tag=tag, report=True)
    except (SpawnError, PtyUnavailable):
        return {}
    try:
        shell.run(dialect.script(b"", b""))
        _await(shell.pid, deadline)
        payload = dialect.payload(shell.take_report(), shell.token)
    finally:
        shell.close()
    report = None if payload is None else dialect.parse(payload)
    return {} if report is None else report.state.functions


def _await(pid: int, deadline: float) -> None:
    """Return when our child has ended by itself, or by us at ``deadline``, and reap it."""
    if sys.platform == "win32":
        return
    pidfd = proc.open_pidfd(pid)
    if pidfd is not None:
        try:
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        finally:
            os.close(pidfd)
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return
        time.sleep(0.001)
