"""Bars: clients that were kicked and may not connect again before a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.errors import ClientRejected
from shellwire.output import printable, utc

if TYPE_CHECKING:
    from shellwire.jobs.model import ClientKey
    from shellwire.server.access import AccessList

_MAX_CLOSE_REASON = 123  # bytes: a control frame's 125, less the code (RFC 6455, 5.5)


def refuse_barred(access: AccessList, key: ClientKey) -> None:
    """Raise ClientRejected if this client is barred now, with the end and the reason."""
    bar = access.bar_of(key.client_id, key.principal)
    if bar is not None:
        raise ClientRejected(
            f"client {key.client_id} is barred until {utc(bar.until)}:"
            f" {printable(bar.reason)} (by {bar.by})"
        )


def close_reason(reason: str, by: str) -> str:
    """Return the reason of the close frame: ``REASON (by NAME)``, the reason cut to fit."""
    end = f" (by {by})"
    text = printable(reason)
    room = _MAX_CLOSE_REASON - len(end.encode())
    if len(text.encode()) > room:
        text = text.encode()[: room - len("…".encode())].decode(errors="ignore") + "…"
    return text + end
