"""What comes from a terminal: keys, escapes that are for us, and what it says by itself. Pure."""

from __future__ import annotations

import re
from typing import Literal

Escape = Literal["detach", "help"]

HELP = """\
  ~.  detach: leave it running, and us
  ~?  this list
  ~~  a tilde
They count only at the beginning of a line.
"""


class Escapes:
    """Finds ``~.`` and its like at the beginning of lines, as ssh(1) has them."""

    def __init__(self) -> None:
        self._fresh = True
        self._tilde = False

    def feed(self, data: bytes) -> tuple[bytes, list[Escape]]:
        """Return what is for the job, and the escapes, in order. All after a detach is dropped."""
        out = bytearray()
        found: list[Escape] = []
        for byte in data:
            character = bytes([byte])
            if self._tilde:
                self._tilde = False
                if character == b".":
                    return bytes(out), [*found, "detach"]
                if character == b"?":
                    found.append("help")
                    self._fresh = True
                    continue
                out += character if character == b"~" else b"~" + character
            elif self._fresh and character == b"~":
                self._tilde = True
                continue
            else:
                out += character
            self._fresh = character in b"\r\n"
        return bytes(out), found


FENCE = b"\x1b[5n"
"""DSR, "are you well?" (ECMA-48, 8.3.35): asked behind a replay, it is answered last."""

_FENCED = b"\x1b[0n"

# What terminals say by themselves: cursor positions, attributes, modes, sizes, focus (CSI), colours
# and the like (OSC), requested settings (DCS), images (APC). xterm's ctlseqs has them all.
_REPLY = re.compile(
    rb"""
      \x1b \[ (?: [?>=]? [0-9;:]* (?: \$y | [cRntu] ) | [IO] )
    | \x1b [\]P_] [^\x07\x1b]* (?: \x07 | \x1b \\ )
    """,
    re.VERBOSE,
)
_BEGUN = re.compile(rb"\x1b (?: \[ [?>=]? [0-9;:]* \$? | [\]P_] [^\x07\x1b]* \x1b? )? \Z", re.X)


class Replies:
    """Keeps from a job what the terminal answers to output that is replayed; keys pass."""

    def __init__(self) -> None:
        self.active = False
        """Whether answers are dropped now."""
        self._asked = False
        self._rest = b""

    def ask(self) -> bytes:
        """All has been replayed: return what to ask the terminal, to know its last answer."""
        self._asked = True
        return FENCE

    def feed(self, data: bytes) -> bytes:
        """Return what of the terminal's input is for the job."""
        if not self.active:
            return data
        data = self._rest + data
        self._rest = b""
        if self._asked and _FENCED in data:
            before, _, after = data.partition(_FENCED)
            return _REPLY.sub(b"", before) + self.stop() + after
        begun = _BEGUN.search(data)
        if begun is not None:
            self._rest = data[begun.start() :]
            data = data[: begun.start()]
        return _REPLY.sub(b"", data)

    def stop(self) -> bytes:
        """Drop nothing from now on; return what was held back."""
        rest, self._rest = self._rest, b""
        self.active = self._asked = False
        return rest
