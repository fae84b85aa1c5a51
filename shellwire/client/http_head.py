"""The head of an HTTP response, of a length that is bounded: all that a client needs to refuse."""

from __future__ import annotations

MAX_HEAD = 64 * 1024
"""The longest head in bytes; that of a daemon has less than 1 KiB."""

_END = b"\r\n\r\n"
_START = b"HTTP/1."


class InvalidHead(ValueError):
    """The peer has sent something else than the head of an HTTP response, or one without an end."""


class Head:
    """The status and the headers of a response, collected until its empty line."""

    def __init__(self) -> None:
        self.received = bytearray()
        """All bytes so far, those after the head too."""
        self.length = 0
        """Bytes of the head, once it is complete."""
        self.status = 0
        self.headers: dict[str, str] = {}
        """Values by the lower-case name."""

    def feed(self, data: bytes | memoryview) -> bool:
        """Add bytes; return whether the head is complete. Raises InvalidHead."""
        searched = max(len(self.received) - len(_END), 0)
        self.received += data
        if self.received[: len(_START)] != _START[: len(self.received)]:
            raise InvalidHead("something else than HTTP")
        end = self.received.find(_END, searched)
        if end > MAX_HEAD or (end < 0 and len(self.received) > MAX_HEAD):
            raise InvalidHead(f"more than {MAX_HEAD} bytes of headers")
        if end < 0:
            return False
        line, *rest = self.received[:end].decode("latin-1").split("\r\n")
        status = line.split(" ")[1:2]
        if not status or not (status[0].isdecimal() and len(status[0]) == 3):
            raise InvalidHead("an HTTP response without a status")
        self.status = int(status[0])
        self.length = end + len(_END)
        for each in rest:
            name, _, value = each.partition(":")
            self.headers[name.lower()] = value.strip()
        return True
