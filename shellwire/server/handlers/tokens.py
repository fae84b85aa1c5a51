"""Handlers for the tokens of other principals: create, list, revoke."""

from __future__ import annotations

import ipaddress
import logging
import time
from typing import TYPE_CHECKING

import msgspec

from shellwire.credentials import Credential, Elevation
from shellwire.errors import Forbidden, InvalidMessage, NotFound
from shellwire.principals import OWNER, TOKEN_ROLES
from shellwire.protocol import messages
from shellwire.protocol.validation import excerpt
from shellwire.server.identity import within_any
from shellwire.server.roles import MINTS

if TYPE_CHECKING:
    from shellwire.server.connection import Connection
    from shellwire.server.identity import Principal

log = logging.getLogger(__name__)

MAX_TOKENS = 1000
"""The most tokens that exist at a time, expired ones included."""

_MAX_NETWORK = 100  # two IPv6 addresses, as address and mask


def create_token(connection: Connection, message: messages.CreateToken) -> None:
    minter = connection.principal
    _refuse_no_raise(message)
    networks = tuple(_network(each) for each in message.sources)

    def make(token_id: str) -> Credential:
        # Once the file was read anew: another process may have written it.
        principal = _principal_for(connection, message)
        wanted = _credential(token_id, principal, message, networks, minter)
        refuse_wider(minter, wanted)
        return wanted

    token = connection.services.access.add_token(make)
    log.info("%s created the token %s: %s", minter.name, message.name, message.role)
    connection.send(
        messages.TokenCreated(token=token, id=message.id, request_id=message.request_id)
    )


def _refuse_no_raise(message: messages.CreateToken) -> None:
    """Raise InvalidMessage if ``may_elevate`` names a role that is not above the token's own."""
    if message.may_elevate is None:
        return
    above = TOKEN_ROLES[: TOKEN_ROLES.index(message.role)]
    if message.may_elevate.role not in above:
        expected = f"expected a role above {message.role}: {' or '.join(above)}"
        nothing = "an admin can't be raised: no role is above it"
        raise InvalidMessage(f"may_elevate.role: {expected if above else nothing}")


def _principal_for(connection: Connection, message: messages.CreateToken) -> str:
    for field, name in (("name", message.name), ("principal", message.principal)):
        if name == OWNER:
            raise InvalidMessage(f"{field}: {OWNER} is reserved")
    tokens = connection.services.access.tokens()
    same = next((each for each in tokens if each.name == message.name), None)
    if same is not None:
        is_expired = same.expires is not None and same.expires <= time.time()
        how = "; it has expired: revoke it first" if is_expired else ""
        raise InvalidMessage(f"name: there is a token {message.name} already{how}")
    if len(tokens) >= MAX_TOKENS:
        raise InvalidMessage(f"name: {MAX_TOKENS} tokens exist; revoke one first")
    if message.principal is not None:
        return message.principal
    if connection.connections.has_principal(message.name):
        raise InvalidMessage(
            f"principal: {message.name} exists already; name it to give it one more token"
        )
    return message.name


def _credential(
    token_id: str,
    principal: str,
    message: messages.CreateToken,
    networks: tuple[str, ...],
    minter: Principal,
) -> Credential:
    now = time.time()
    elevation = message.may_elevate
    return Credential(
        id=token_id,
        name=message.name,
        principal=principal,
        role=message.role,
        created=now,
        expires=None if message.ttl_seconds is None else now + message.ttl_seconds,
        sources=networks,
        max_processes=message.max_processes,
        isolate=message.isolate,
        may_elevate=None if elevation is None else Elevation(elevation.role, elevation.ttl_seconds),
        minted_by=None if minter.credential is None else minter.credential.id,
        reason=message.reason,
    )


def _network(text: str) -> str:
    if len(text) > _MAX_NETWORK or "%" in text:  # ip_network accepts any text after a %
        raise InvalidMessage(f"from: expected a network such as 10.0.0.0/8, got {excerpt(text)}")
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidMessage(f"from: expected a network such as 10.0.0.0/8: {error}") from None
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:  # an address in the network
        raise InvalidMessage(f"from: expected a network, {network}, got {text}") from None


def refuse_wider(minter: Principal, wanted: Credential) -> None:
    """Raise Forbidden if ``wanted`` allows anything that its minter may not do."""
    mints = MINTS.get(minter.role, frozenset())
    roles = [wanted.role] if wanted.may_elevate is None else [wanted.role, wanted.may_elevate.role]
    for role in roles:
        if role not in mints:
            raise Forbidden(f"the role {minter.role} may not give the role {role}")
    until, what = minter.expires_at, "your own credential expires"
    if minter.elevated is not None and not set(roles) <= MINTS.get(minter.elevated.own_role, set()):
        # What only the raised role may give must not outlive the elevation.
        until, what = minter.elevated.expires_at, "your elevation ends"
    if until is not None and (wanted.expires is None or wanted.expires > until):
        left = max(0, int(until - time.time()))
        raise Forbidden(f"ttl_seconds: {what} in {left} s: give at most that")
    own = minter.credential
    if own is None:
        return
    if own.sources and not (
        wanted.sources and all(within_any(each, own.sources) for each in wanted.sources)
    ):
        raise Forbidden(f"from: expected networks within your own, {', '.join(own.sources)}")
    if own.max_processes is not None and (
        wanted.max_processes is None or wanted.max_processes > own.max_processes
    ):
        raise Forbidden(f"max_processes: expected at most your own, {own.max_processes}")
    if minter.isolate is not None and wanted.isolate != minter.isolate:
        raise Forbidden(f"isolate: expected your own, {minter.isolate}")


def list_tokens(connection: Connection, message: messages.ListTokens) -> None:
    tokens = connection.services.access.tokens()
    names = {each.id: each.name for each in tokens}
    in_use = connection.connections.credentials_in_use()
    infos = [
        messages.TokenInfo(
            name=each.name,
            principal=each.principal,
            role=each.role,
            created_at=each.created,
            expires_at=each.expires,
            sources=list(each.sources),
            max_processes=each.max_processes,
            isolate=each.isolate,
            may_elevate=None
            if each.may_elevate is None
            else messages.Elevation(**msgspec.structs.asdict(each.may_elevate)),
            minted_by=None if each.minted_by is None else names.get(each.minted_by),
            reason=each.reason,
            is_connected=each.id in in_use,
        )
        for each in tokens
    ]
    connection.send(messages.TokensList(tokens=infos, id=message.id, request_id=message.request_id))


def revoke_token(connection: Connection, message: messages.RevokeToken) -> None:
    own = connection.principal.credential

    def without(tokens: list[Credential]) -> list[Credential]:
        revoked = next((each for each in tokens if each.name == message.name), None)
        if revoked is None:
            raise NotFound(f"there is no token {message.name}")
        if message.keep_children:
            if own is not None and revoked.id not in _with_descendants(own.id, tokens) - {own.id}:
                # They would no longer end with a token that the owner may revoke because of them.
                raise Forbidden("keep_children: only for tokens that were created with your own")
            # They become children of the token that created this one: as narrow as that, too.
            return [
                msgspec.structs.replace(each, minted_by=revoked.minted_by)
                if each.minted_by == revoked.id
                else each
                for each in tokens
                if each is not revoked
            ]
        gone = _with_descendants(revoked.id, tokens)
        return [each for each in tokens if each.id not in gone]

    connection.services.access.replace_tokens(without)
    log.info("%s revoked the token %s", connection.principal.name, message.name)
    connection.acknowledge(message)
    connection.connections.recheck()


def _with_descendants(token_id: str, tokens: list[Credential]) -> set[str]:
    gone = {token_id}
    while more := {each.id for each in tokens if each.minted_by in gone} - gone:
        gone |= more
    return gone
