"""The table of error codes: every code, and the exception of a code received."""

from __future__ import annotations

from shellwire.errors import files  # noqa: F401  (defines subclasses)
from shellwire.errors.wire import WireError


def _kinds(kind: type[WireError]) -> list[type[WireError]]:
    children = kind.__subclasses__()
    return [kind] if not children else [each for child in children for each in _kinds(child)]


# INVALID_JSON has two classes: the later one wins, which does not end the connection.
_BY_CODE: dict[str, type[WireError]] = {kind.code: kind for kind in _kinds(WireError)}

CODES: tuple[str, ...] = tuple(sorted(_BY_CODE))
"""Every code that an ``error`` message may carry, each once, sorted."""


def from_wire(code: str, message: str) -> WireError:
    """Return the exception for an ``error`` message; for an unknown code a new ``WireError``."""
    kind = _BY_CODE.get(code)
    if kind is None:
        kind = _BY_CODE[code] = type("WireError", (WireError,), {"code": code})
    return kind(message)
