"""Which shell runs the commands."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
from typing import TYPE_CHECKING

from shellwire.errors import PtyUnavailable, SpawnError, StartError
from shellwire.process import kill
from shellwire.shell.bash import Bash
from shellwire.shell.dialect import CannotEnter
from shellwire.shell.launch import Wiring, launch
from shellwire.shell.posix import Posix
from shellwire.shell.state import State, Variable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shellwire.process.reap import Exit, Reaper
    from shellwire.shell.dialect import Dialect

log = logging.getLogger(__name__)

SECONDS = 5.0
"""Seconds that a shell has to show that it can be used."""

# What $SHELL may be besides bash for commands to run in it; others are no POSIX shells.
_POSIX_SHELLS = frozenset({"sh", "dash", "ash"})

# What a shell that can't be used would get wrong: a function, a change of state, and an exit from
# within, whose status and report must come back.
_PROBE = b"probe () { SHELLWIRE_PROBE=it\\'s; export SHELLWIRE_PROBE; cd /dev; exit 3; }\nprobe"
_STATUS, _CWD, _VARIABLE = 3, b"/dev", (b"SHELLWIRE_PROBE", Variable(b"it's"))


async def find_dialect(
    wanted: str | None, birth: State, reaper: Reaper, *, path: str | None = None
) -> Dialect:
    """Return the shell to use: the one ``wanted`` (a path, or a name found by ``path``), or bash.

    Where there is no bash: ``$SHELL`` if it is a POSIX shell, else sh. Each is tried with the
    variables of ``birth`` before it is believed. Raises StartError.
    """
    for found in _candidates(wanted, path):
        dialect = (Bash if os.path.basename(found).startswith("bash") else Posix)(found)
        if await _works(dialect, State(b"/", birth.variables, birth.functions), reaper):
            return dialect
        if wanted is None:
            log.warning("%s is not used: it did not report its state when it was tried", found)
    if wanted is None:
        raise StartError("there is no bash and no sh on the PATH; --shell names another")
    if shutil.which(wanted, path=path) is None:
        raise StartError(f"--shell {wanted}: there is no such program")
    raise StartError(f"--shell {wanted}: it does not work as bash, dash or busybox ash do")


def _candidates(wanted: str | None, path: str | None) -> Iterator[str]:
    own = os.environ.get("SHELL", "")
    posix = [own, "sh"] if os.path.basename(own) in _POSIX_SHELLS else ["sh"]
    for name in ["bash", *posix] if wanted is None else [wanted]:
        found = shutil.which(name, path=path)
        if found is not None:
            yield os.path.abspath(found)


async def _works(dialect: Dialect, state: State, reaper: Reaper) -> bool:
    """Whether a command runs in this shell, and its state comes back; a moment, once a start."""
    tag = b"probe." + secrets.token_hex(8).encode()
    try:
        shell = launch(dialect, state, Wiring(), tag=tag, report=True)
    except (SpawnError, PtyUnavailable):
        return False
    ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
    reaper.watch(shell.pid, lambda how: None if ended.done() else ended.set_result(how))
    try:
        shell.run(dialect.script(b"", _PROBE))
        async with asyncio.timeout(SECONDS):
            status = (await ended).code
        payload = dialect.payload(shell.take_report(), shell.token)
    except (TimeoutError, CannotEnter):
        return False
    finally:
        await kill.end(kill.Tree(shell.pid, tag, subreaper=reaper.adopts))
        shell.close()
    report = None if payload is None else dialect.parse(payload)
    if report is None or not report.whole or (status, report.state.cwd) != (_STATUS, _CWD):
        return False
    name, value = _VARIABLE
    return report.state.variables.get(name) == value
