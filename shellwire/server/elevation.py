"""Break-glass: credentials that are raised above their own role until a time."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shellwire.errors import Forbidden, InvalidMessage
from shellwire.output import printable, utc
from shellwire.protocol.elevation_messages import MIN_REASON
from shellwire.server.expiry import ExpiryTimer
from shellwire.server.identity import Elevated

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from shellwire.credentials import Elevation
    from shellwire.protocol import messages
    from shellwire.server.identity import Principal

log = logging.getLogger(__name__)

DEFAULT_SECONDS = 1800.0
"""Seconds that an elevation lasts if the request does not say."""


@dataclass(frozen=True, slots=True)
class Raised:
    """A credential that is raised now; ``who`` has its own role."""

    who: Principal
    elevated: Elevated

    def __str__(self) -> str:
        credential = self.who.credential
        name = credential.name if credential is not None else ""
        token = "" if name == self.who.name else f" (token {name})"
        return f"{self.who.name}{token}"


class Elevations:
    """The raised credentials, by id. In memory only: a restart of the daemon ends them.

    ``changed(raised, text)`` is called when a credential was raised and when that has ended, with a
    line that says so; it applies the new role to what the credential has open.
    """

    def __init__(self, changed: Callable[[Raised, str], None]) -> None:
        self._changed = changed
        self._raised: dict[str, Raised] = {}
        self._timers: dict[str, ExpiryTimer] = {}

    def apply(self, principal: Principal) -> Principal:
        """Return the principal with the role that its credential has at this moment."""
        own = principal.unelevated
        credential = own.credential
        raised = None if credential is None else self._raised.get(credential.id)
        if credential is None or raised is None:
            return own
        if raised.elevated.expires_at <= time.time():
            self._end(credential.id, "has ended")
            return own
        if credential.may_elevate != raised.who.may_elevate:
            return own
        return replace(own, role=raised.elevated.role, elevated=raised.elevated)

    def begin(self, principal: Principal, message: messages.Elevate) -> Elevated:
        """Raise the principal's credential; a second time replaces reason and end.

        Raises Forbidden if it may not be raised that far or that long, InvalidMessage.
        """
        who = principal.unelevated
        credential, may = who.credential, who.may_elevate
        if credential is None or may is None:
            raise Forbidden("this credential may not be raised: it was created without may_elevate")
        reason = message.reason.strip()
        if len(reason) < MIN_REASON:
            raise InvalidMessage(f"reason: expected at least {MIN_REASON} characters")
        if message.role not in (None, may.role):
            raise Forbidden(f"this credential may be raised to {may.role}, not to {message.role}")
        expires_at = time.time() + _seconds(message.ttl_seconds, may)
        if who.expires_at is not None:
            expires_at = min(expires_at, who.expires_at)
        elevated = Elevated(who.role, may.role, reason, expires_at)
        # An elevation takes effect here and nowhere else. What must be durable before it holds,
        # such as its row in an audit, is written before this line; a failure raises.
        self._hold(credential.id, who, elevated)
        return elevated

    def _hold(self, credential_id: str, who: Principal, elevated: Elevated) -> None:
        self._cancel_timer(credential_id)
        raised = self._raised[credential_id] = Raised(who, elevated)
        text = (
            f"{raised} is raised from {who.role} to {elevated.role} until"
            f" {utc(elevated.expires_at)}: {printable(elevated.reason)}"
        )
        log.warning("%s", text)
        self._changed(raised, text)
        # Last: a short elevation may be over by now, and the timer then ends it at once.
        self._timers[credential_id] = ExpiryTimer(
            elevated.expires_at, lambda: self._end(credential_id, "has ended")
        )

    def _cancel_timer(self, credential_id: str) -> None:
        timer = self._timers.pop(credential_id, None)
        if timer is not None:
            timer.cancel()

    def end_revoked(self, valid: Collection[str]) -> None:
        """End the elevations of tokens that are not among the ``valid`` ids any more."""
        for credential_id, raised in list(self._raised.items()):
            if raised.who.via == "token" and credential_id not in valid:
                self._end(credential_id, "has ended, as the token was revoked")

    def _end(self, credential_id: str, how: str) -> None:
        raised = self._raised.pop(credential_id, None)
        if raised is None:
            return
        self._cancel_timer(credential_id)
        text = (
            f"the elevation of {raised} to {raised.elevated.role} {how}:"
            f" {printable(raised.elevated.reason)}"
        )
        log.warning("%s", text)
        self._changed(raised, text)

    def all(self) -> list[Raised]:
        """Return the credentials that are raised now, the first one first."""
        return list(self._raised.values())


def _seconds(wanted: float | None, may: Elevation) -> float:
    if wanted is None:
        return min(DEFAULT_SECONDS, may.ttl_seconds)
    if wanted > may.ttl_seconds:
        raise Forbidden(f"ttl_seconds: this credential may be raised for {may.ttl_seconds:g} s")
    return wanted
