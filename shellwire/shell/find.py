"""Find the shell that runs the commands, and probe that it works."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import secrets
import shutil
import sys
from typing import TYPE_CHECKING

from shellwire.errors import PtyUnavailable, SpawnError, StartError
from shellwire.process import kill
from shellwire.shell.bash import Bash
from shellwire.shell.dialect import CannotEnter
from shellwire.shell.launch import launch
from shellwire.shell.posix import Posix
from shellwire.shell.shell import Stdio
from shellwire.shell.state import State, Variable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shellwire.process.reap import Exit, Reaper
    from shellwire.shell.dialect import Dialect

log = logging.getLogger(__name__)

PROBE_SECONDS = 5.0
"""Seconds that a shell has for its probe."""

if sys.platform == "win32":
    _DEFAULT, _SUPPORTED = "cmd.exe and no powershell.exe", "cmd.exe and PowerShell"
else:
    _DEFAULT, _SUPPORTED = "bash and no sh", "bash, dash or busybox ash"

# Shells, besides bash, that $SHELL may name; others are not POSIX shells.
_POSIX_SHELLS = frozenset({"sh", "dash", "ash"})

_NO_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM})

# The result of every dialect's probe.
_PROBE_STATUS, _PROBE_CWD, _PROBE_VARIABLE = 3, b"/dev", (b"SHELLWIRE_PROBE", Variable(b"it's"))


async def find_dialect(
    wanted: str | None, birth: State, reaper: Reaper, *, path: str | None = None
) -> Dialect:
    """Return the dialect of the ``wanted`` shell (a path, or a name searched in ``path``), or bash.

    Without bash it is ``$SHELL`` if that is a POSIX shell, else sh. Each shell is probed with the
    variables and functions of ``birth``. Raises StartError.
    """
    for found in _candidates(wanted, path):
        dialect = _dialect(found)
        try:
            if await _probe(dialect, State(b"/", birth.variables, birth.functions), reaper):
                return dialect
        except (SpawnError, PtyUnavailable) as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno in _NO_RESOURCES:
                # Not the shell's fault: the next one would not start either.
                raise StartError(str(error)) from error
        if wanted is None:
            log.warning("%s is not used: it did not report its state in a test", found)
    if wanted is None:
        raise StartError(f"there is no {_DEFAULT} on the PATH; --shell names another")
    if shutil.which(wanted, path=path) is None:
        raise StartError(f"--shell {wanted}: there is no such program")
    raise StartError(f"--shell {wanted}: it does not work as {_SUPPORTED} do")


def _dialect(path: str) -> Dialect:
    name = os.path.basename(path).lower()
    if sys.platform == "win32":
        from shellwire.shell.cmd import Cmd
        from shellwire.shell.powershell import PowerShell

        return (Cmd if name.startswith("cmd") else PowerShell)(path)
    return (Bash if name.startswith("bash") else Posix)(path)


def _default_shells() -> list[str]:
    if sys.platform == "win32":
        return [os.environ.get("COMSPEC", "cmd.exe"), "powershell.exe"]
    own = os.environ.get("SHELL", "")
    return ["bash", *([own] if os.path.basename(own) in _POSIX_SHELLS else []), "sh"]


def _candidates(wanted: str | None, path: str | None) -> Iterator[str]:
    for name in _default_shells() if wanted is None else [wanted]:
        found = shutil.which(name, path=path)
        if found is not None:
            yield os.path.abspath(found)


async def _probe(dialect: Dialect, state: State, reaper: Reaper) -> bool:
    """Whether a command runs in this shell and its state is reported.

    Raises SpawnError or PtyUnavailable if the shell can't be started.
    """
    tag = b"probe." + secrets.token_hex(8).encode()
    shell = launch(dialect, state, Stdio(), tag=tag, report=True)
    shell.run(dialect.script(b"", dialect.probe))
    tree = kill.Tree(shell.pid, tag, subreaper=reaper.adopts)
    ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

    def on_exit(status: Exit) -> None:
        tree.is_leaderless = True
        if not ended.done():
            ended.set_result(status)

    reaper.watch(shell.pid, on_exit)
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            status = (await ended).code
        payload = dialect.payload(shell.take_report(), shell.token)
    except (TimeoutError, CannotEnter):
        return False
    finally:
        await kill.end(tree)
        shell.close()
    report = None if payload is None else dialect.parse(payload)
    if report is None or not report.whole or status != _PROBE_STATUS:
        return False
    if dialect.is_posix and report.state.cwd != _PROBE_CWD:
        return False
    name, value = _PROBE_VARIABLE
    return report.state.variables.get(name) == value
