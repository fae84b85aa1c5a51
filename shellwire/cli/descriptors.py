"""Open closed standard descriptors on /dev/null. Importing this module does it.

cron(8), supervisors and a shell's ``>&-`` start programs with some of descriptors 0 to 2 closed.
open(2) and socket(2) return the lowest free number: a connection to the daemon would become
"stdout", and a command's output would be written into it. This module is therefore imported before
anything that may open a descriptor. Output to such a stream is dropped; reading it returns EOF.
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
            assert null == number, "open(2) returns the lowest free number"
            os.set_inheritable(number, True)
            # Python has set the stream to None; callers should not need a special case for that.
            stream = open(number, "r" if number == 0 else "w", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


_open_missing()
