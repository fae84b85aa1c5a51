"""Who a peer is: principals, and the authenticators that recognise them."""

from __future__ import annotations

import ipaddress
import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import msgspec

from shellwire.errors import Expired, IsolationUnavailable
from shellwire.jobs.quota import Quota, Share
from shellwire.principals import OWNER, Role
from shellwire.protocol import messages
from shellwire.server.access import token_matches
from shellwire.server.rate_limited_log import RateLimitedLog
from shellwire.server.roles import COLUMNS

if TYPE_CHECKING:
    from shellwire.credentials import Credential, Elevation
    from shellwire.server.access import AccessList
    from shellwire.server.services import PrincipalLimits

log = logging.getLogger(__name__)
_thief_log = RateLimitedLog(log)


@dataclass(frozen=True, slots=True)
class Elevated:
    """How a credential is raised above its own role, and until when (epoch seconds)."""

    own_role: Role
    role: Role
    reason: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who has authenticated, with the role that the credential used has now."""

    name: str
    role: Role
    via: str
    """How: ``socket`` or ``token``; an authenticator of your own has a word of its own."""
    expires_at: float | None = None
    """When the credential stops working, in epoch seconds; None: never."""
    credential: Credential | None = None
    """The token of ``tokens.json`` that was used; None for the owner's."""
    elevated: Elevated | None = None
    """Set while the credential is raised: ``role`` is then not its own."""

    @property
    def unelevated(self) -> Principal:
        """The principal with the credential's own role."""
        if self.elevated is None:
            return self
        return replace(self, role=self.elevated.own_role, elevated=None)

    @property
    def raised_credential(self) -> str | None:
        """The id of its credential while that is raised; else None."""
        if self.elevated is None or self.credential is None:
            return None
        return self.credential.id

    @property
    def may_elevate(self) -> Elevation | None:
        """To what its credential may be raised; None: to nothing."""
        return None if self.credential is None else self.credential.may_elevate

    @property
    def is_owner(self) -> bool:
        """Whether this is the owner, who has no limits."""
        return self.name == OWNER

    def is_still(self, now: Principal | None) -> bool:
        """Whether ``now``, of a later authentication, may do the same; who minted it may differ."""
        if now is None or now.credential is None or self.credential is None:
            return now == self
        credential = msgspec.structs.replace(now.credential, minted_by=self.credential.minted_by)
        return replace(now, credential=credential) == self

    @property
    def isolate(self) -> str | None:
        """The isolation in which its jobs must run; None: natively."""
        isolate = None if self.credential is None else self.credential.isolate
        return None if isolate == "native" else isolate


NOBODY = Principal("", "metrics", "")
"""Stands for the principal of a connection that has not authenticated."""


def isolation_unavailable(isolate: str) -> IsolationUnavailable:
    """Return the error for a credential that demands an isolation which the daemon lacks."""
    return IsolationUnavailable(
        f"this credential demands the isolation {isolate}, and this daemon has none"
    )


def share_of(principal: Principal, limits: PrincipalLimits) -> Share:
    """Return for whom the jobs of ``principal`` take slots, and within which limits."""
    sees_all = COLUMNS[principal.role].get(messages.ListJobs) == "all"
    if principal.is_owner:
        return Share(principal.name, None, sees_all)
    credential = principal.credential
    quota = Quota(
        limits.sessions,
        limits.commands,
        limits.queued,
        None if credential is None else credential.max_processes,
    )
    return Share(principal.name, quota, sees_all)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a peer offers to prove who it is."""

    address: str
    """Its IP address; empty on the Unix socket, whose peer is the daemon's user."""
    token: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether the peer is on the Unix socket."""
        return self.address == ""


class Authenticator(Protocol):
    """Recognises the peers that have one kind of credential."""

    def authenticate(self, offer: Offer) -> Principal | None:
        """Return who makes this offer; None if this authenticator does not know.

        Raises Expired for a credential that is right but no longer valid. It is called again for a
        connected peer after a reload: when it does not return the same principal, the connection is
        closed. It must not block: all clients wait meanwhile.
        """
        ...


class Authenticators:
    """Several authenticators as one: the first that recognises the peer decides."""

    def __init__(self, *authenticators: Authenticator) -> None:
        self._authenticators = authenticators

    def authenticate(self, offer: Offer) -> Principal | None:
        """Return what the first authenticator that knows the peer says. Raises Expired."""
        for each in self._authenticators:
            principal = each.authenticate(offer)
            if principal is not None:
                return principal
        return None


class SocketPeer:
    """The Unix socket: only the daemon's user can connect, so its peer is the owner."""

    def authenticate(self, offer: Offer) -> Principal | None:
        """Return the owner for a peer on the Unix socket."""
        return Principal(OWNER, "owner", "socket") if offer.is_local else None


class OwnerToken:
    """The token in ``auth.token``."""

    def __init__(self, access: AccessList) -> None:
        self._access = access

    def authenticate(self, offer: Offer) -> Principal | None:
        """Return the owner for the owner's token."""
        if not token_matches(offer.token, self._access.token()):
            return None
        return Principal(OWNER, "owner", "token")


class GivenTokens:
    """The tokens in ``tokens.json``."""

    def __init__(self, access: AccessList) -> None:
        self._access = access

    def authenticate(self, offer: Offer) -> Principal | None:
        """Return the token's principal. Raises Expired.

        From a network that the token is not for, it counts as wrong: a thief learns nothing.
        """
        credential = None if offer.token is None else self._access.find_token(offer.token)
        if credential is None:
            return None
        if credential.sources and not is_within(offer.address, credential.sources):
            line = f"token {credential.name} was refused: it came from {offer.address}"
            _thief_log.write(logging.WARNING, credential.id, line)
            return None
        if credential.expires is not None and credential.expires <= time.time():
            raise Expired(f"the token {credential.name} has expired")
        return Principal(
            credential.principal, credential.role, "token", credential.expires, credential
        )


def is_within(address: str, networks: tuple[str, ...]) -> bool:
    """Whether an IP address lies in one of the networks (CIDR)."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in ipaddress.ip_network(each) for each in networks)


def within_any(network: str, networks: tuple[str, ...]) -> bool:
    """Whether a network (CIDR) lies in one of ``networks``."""
    found = ipaddress.ip_network(network)
    return any(_within(found, ipaddress.ip_network(each)) for each in networks)


def _within(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
    wider: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> bool:
    if isinstance(network, ipaddress.IPv4Network):
        return isinstance(wider, ipaddress.IPv4Network) and network.subnet_of(wider)
    return isinstance(wider, ipaddress.IPv6Network) and network.subnet_of(wider)
