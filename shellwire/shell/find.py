"""Which shell runs the commands."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from shellwire.errors import StartError
from shellwire.shell.bash import Bash
from shellwire.shell.posix import Posix

if TYPE_CHECKING:
    from shellwire.shell.dialect import Dialect

# What $SHELL may be besides bash for commands to run in it; others are no POSIX shells.
_POSIX_SHELLS = frozenset({"sh", "dash", "ash", "ksh", "mksh", "yash"})


def find_dialect(wanted: str | None, *, path: str | None = None) -> Dialect:
    """Return the shell to use: the one ``wanted`` (a path, or a name found by ``path``), or bash.

    Where there is no bash: ``$SHELL`` if it is a POSIX shell, else sh. Raises StartError.
    """
    if wanted is not None:
        found = shutil.which(wanted, path=path)
        if found is None:
            raise StartError(f"--shell {wanted}: there is no such program")
        return _dialect(os.path.abspath(found))
    own = os.environ.get("SHELL", "")
    names = ["bash", own if os.path.basename(own) in _POSIX_SHELLS else "sh", "sh"]
    for name in names:
        found = shutil.which(name, path=path)
        if found is not None:
            return _dialect(os.path.abspath(found))
    raise StartError("there is no bash and no sh on the PATH; --shell names another")


def _dialect(path: str) -> Dialect:
    kind: type[Dialect] = Bash if os.path.basename(path).startswith("bash") else Posix
    return kind(path)
