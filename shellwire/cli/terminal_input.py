"""Parse terminal input: escape keys such as ``~.``, and replies of the terminal. No I/O."""

from __future__ import annotations

import re
from typing import Literal

Escape = Literal["detach", "help"]

HELP = """\
  ~.  detach; the job keeps running
  ~?  show this list
  ~~  type a tilde
These keys work only at the start of a line.
"""


class EscapeParser:
    """A parser for escape keys at the start of a line, as of ssh(1)."""

    def __init__(self) -> None:
        self._at_line_start = True
        self._tilde = False

    def feed(self, data: bytes) -> tuple[bytes, list[Escape]]:
        """Return the job's input, and the escapes in order. Input after a detach is dropped."""
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
                    self._at_line_start = True
                    continue
                out += character if character == b"~" else b"~" + character
            elif self._at_line_start and character == b"~":
                self._tilde = True
                continue
            else:
                out += character
            self._at_line_start = character in b"\r\n"
        return bytes(out), found


STATUS_REQUEST = b"\x1b[5n"
"""DSR, device status report (ECMA-48, 8.3.35). Sent after a replay, it is answered last."""

_STATUS_REPORT = b"\x1b[0n"

# Replies of terminals: cursor positions, attributes, modes, sizes, focus (CSI), colours and the
# like (OSC), requested settings (DCS), images (APC). xterm's ctlseqs lists them.
_REPLY = re.compile(
    rb"""
      \x1b \[ (?: [?>=]? [0-9;:]* (?: \$y | [cRntu] ) | [IO] )
    | \x1b [\]P_] [^\x07\x1b]* (?: \x07 | \x1b \\ )
    """,
    re.VERBOSE,
)
_INCOMPLETE = re.compile(
    rb"\x1b (?: \[ [?>=]? [0-9;:]* \$? | [\]P_] [^\x07\x1b]* \x1b? )? \Z", re.X
)


class ReplyFilter:
    """A filter that drops the terminal's replies to replayed output and passes keys."""

    def __init__(self) -> None:
        self.active = False
        """Whether replies are dropped now."""
        self._asked = False
        self._rest = b""

    def end_replay(self) -> bytes:
        """Return a request to send after the replay; the reply to it is the last one to drop."""
        self._asked = True
        return STATUS_REQUEST

    def feed(self, data: bytes) -> bytes:
        """Return the job's part of the terminal's input."""
        if not self.active:
            return data
        data = self._rest + data
        self._rest = b""
        if self._asked and _STATUS_REPORT in data:
            before, _, after = data.partition(_STATUS_REPORT)
            return _REPLY.sub(b"", before) + self.stop() + after
        incomplete = _INCOMPLETE.search(data)
        if incomplete is not None:
            self._rest = data[incomplete.start() :]
            data = data[: incomplete.start()]
        return _REPLY.sub(b"", data)

    def stop(self) -> bytes:
        """Stop dropping replies; return the input held back so far."""
        rest, self._rest = self._rest, b""
        self.active = self._asked = False
        return rest
