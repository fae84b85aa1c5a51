"""Check that a shell reads functions back as it printed them.

Bash 5.2 prints some commands in a form that it reads back differently, or not at all: ``coproc
cat``, the pattern ``(esac)``, a list that ends in ``\\&`` before ``do`` or ``then``. Which commands
depends on the version. So new functions are restored once in a separate shell, and that shell's
report is compared with the original.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

from shellwire.errors import PtyUnavailable, SpawnError
from shellwire.shell.launch import launch
from shellwire.shell.shell import Stdio
from shellwire.shell.state import Function, State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shellwire.process.reap import Exit, Reaper
    from shellwire.shell.dialect import Dialect

TIMEOUT = 10.0
"""The time limit of a check, in seconds. The command's result waits for it; a round takes 5 ms."""

_ROUNDS = 8


class ReadBack:
    """Starts the shells that read functions back. ``next_tag()`` returns the tag of each."""

    def __init__(self, dialect: Dialect, reaper: Reaper, next_tag: Callable[[], bytes]) -> None:
        self._dialect = dialect
        self._reaper = reaper
        self._next_tag = next_tag

    async def unreadable(
        self, state: State, functions: Mapping[bytes, Function]
    ) -> frozenset[bytes]:
        """Return the names of the ``functions`` that can't be restored unchanged.

        ``state`` gives the locale in which the shell reads them.
        """
        locale = {
            name: variable
            for name, variable in state.variables.items()
            if name.startswith(b"LC_") or name == b"LANG"
        }
        left = dict(functions)
        broken: set[bytes] = set()
        deadline = asyncio.get_running_loop().time() + TIMEOUT
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                for _ in range(_ROUNDS):
                    found = await self._restored(State(b"/", locale, left))
                    missing = [name for name in left if name not in found]
                    broken.update(name for name in left.keys() & found if left[name] != found[name])
                    # A syntax error in one function hides all functions after it.
                    broken.update(missing[:1])
                    if not missing:
                        return frozenset(broken)
                    left = {name: each for name, each in left.items() if name not in broken}
        return frozenset({*broken, *left})

    async def _restored(self, state: State) -> Mapping[bytes, Function]:
        """Return the functions of a shell that was started in ``state``."""
        dialect = self._dialect
        try:
            shell = launch(dialect, state, Stdio(), tag=self._next_tag(), report=True)
        except (SpawnError, PtyUnavailable):
            return {}
        exited = asyncio.Event()

        def on_exit(_exit: Exit) -> None:
            exited.set()

        self._reaper.watch(shell.pid, on_exit)
        try:
            shell.run(dialect.script(b"", b""))
            await exited.wait()
            payload = dialect.payload(shell.take_report(), shell.token)
        finally:
            if not exited.is_set() and sys.platform != "win32":
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(shell.pid, signal.SIGKILL)
            shell.close()
        report = None if payload is None else dialect.parse(payload)
        return {} if report is None else report.state.functions
