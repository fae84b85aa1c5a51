"""Standard descriptors that are closed at the start are opened on /dev/null; imported for that.

cron(8), supervisors and a shell's ``>&-`` start programs with some of descriptors 0 to 2 closed.
open(2) and socket(2) return the lowest number that is free: a connection to the daemon would become
"stdout", and a command's output would be written into it. So this is imported before anything that
may open a descriptor. What is written to such a stream is dropped, and reading finds the end.
"""

from __future__ import annotations

import os
import sys

_NAMES = {0: "stdin", 1: "stdout", 2: "stderr"}


def _open_missing() -> None:
    for number, name in _NAMES.items():
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            assert null == number, "the lowest number that is free"
            os.set_inheritable(number, True)
            # Python has set it to None, for which no caller should need a case of its own.
            stream = open(number, "r" if number == 0 else "w", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


_open_missing()
