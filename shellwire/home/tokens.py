"""The tokens that were given to others, in ``tokens.json``; the owner's is in ``auth.token``.

The file has the mode 0600 and is replaced atomically: ``{"tokens": [{...}, ...]}``, one object for
each ``StoredToken``. It has the SHA-256 of each token, not the token. A token is
``sw1_NAME_IDSECRET``: ID is public and finds the entry, SECRET has 260 random bits. Every change
re-reads the file under a lock.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import re
import secrets
import time
from typing import TYPE_CHECKING

import msgspec

from shellwire.credentials import Credential
from shellwire.errors import DamagedFile
from shellwire.home.atomic import read_private, write_private
from shellwire.home.lock import LOCK_TIMEOUT, write_lock
from shellwire.principals import is_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shellwire.home.paths import Home

# 5 random bytes and 33 random bytes, in the alphabet of base32 (RFC 4648, 6), in lower case.
_ID_LENGTH, _SECRET_LENGTH = 8, 52
_TOKEN = re.compile(rf"sw1_.+_([a-z2-7]{{{_ID_LENGTH}}})[a-z2-7]{{{_SECRET_LENGTH}}}", re.DOTALL)

KEEP_EXPIRED = 7 * 86_400.0
"""Seconds that an expired token stays listed; the next ``add`` forgets older ones."""


class StoredToken(Credential, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token's entry in the file. A field that this release does not know makes it damaged.

    The unknown field may restrict the token, so the token must not be accepted without it.
    """

    sha256: str
    """Of the whole token, as hexadecimal digits."""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    tokens: list[StoredToken] = []


_Entries = dict[str, StoredToken]


class Tokens:
    """The tokens of one home by id, as of the last ``load``, ``reload`` or change."""

    def __init__(self, home: Home, entries: _Entries, timeout: float) -> None:
        self._home = home
        self._entries = entries
        self._timeout = timeout

    @classmethod
    def load(cls, home: Home, timeout: float = LOCK_TIMEOUT) -> Tokens:
        """Read the file; a missing file means no tokens.

        A change waits up to ``timeout`` seconds for another process that is writing. Raises
        DamagedFile, and HomeError if the file can't be read.
        """
        return cls(home, _read(home.tokens_file), timeout)

    def reload(self) -> None:
        """Read the file again. Raises like ``load``, and then changes nothing."""
        self._entries = _read(self._home.tokens_file)

    def all(self) -> list[Credential]:
        """Return every token, the oldest first; also those that have expired."""
        return list(self._entries.values())

    def find(self, token: str) -> Credential | None:
        """Return the entry of this token, which may have expired; None if the token is wrong."""
        match = _TOKEN.fullmatch(token)
        entry = self._entries.get(match[1]) if match is not None else None
        if entry is None or not hmac.compare_digest(_digest(token), entry.sha256):
            return None
        return entry

    def add(self, make: Callable[[str], Credential]) -> str:
        """Store the credential that ``make(id)`` returns; return its token, shown only here.

        ``make`` is called when the file was read anew, and may raise. Raises like ``load``, and
        HomeError if the file can't be written.
        """
        token_id = _random(5)
        created: list[str] = []

        def change(entries: _Entries) -> None:
            _forget_expired(entries)
            made = make(token_id)
            token = f"sw1_{made.name}_{token_id}{_random(33)[:_SECRET_LENGTH]}"
            entries[token_id] = StoredToken(**msgspec.structs.asdict(made), sha256=_digest(token))
            created.append(token)

        self._change(change)
        return created[0]

    def replace(self, change: Callable[[list[Credential]], list[Credential]]) -> None:
        """Store the list that ``change`` returns for that of all tokens, less or altered ones.

        Raises like ``add``.
        """

        def apply(entries: _Entries) -> None:
            kept = change(list(entries.values()))
            entries_before = dict(entries)
            entries.clear()
            for each in kept:
                fields = msgspec.structs.asdict(each) | {"sha256": entries_before[each.id].sha256}
                entries[each.id] = StoredToken(**fields)

        self._change(apply)

    def _change(self, change: Callable[[_Entries], None]) -> None:
        self._home.ensure()
        with write_lock(self._home, self._timeout):
            self.reload()
            entries = dict(self._entries)
            change(entries)
            content = msgspec.json.encode(_File(list(entries.values())))
            write_private(self._home.tokens_file, msgspec.json.format(content, indent=2) + b"\n")
            self._entries = entries


def _forget_expired(entries: _Entries) -> None:
    before = time.time() - KEEP_EXPIRED
    for each in list(entries.values()):
        if each.expires is not None and each.expires < before:
            del entries[each.id]


def _read(path: Path) -> _Entries:
    content = read_private(path)
    if content is None:
        return {}
    try:
        found = msgspec.json.decode(content, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedFile(
            f"{path} is damaged ({error}); no token in it works until you repair or remove it"
        ) from error
    for each in found.tokens:
        if not _is_possible(each):
            raise DamagedFile(
                f"{path} is damaged (the entry of {each.name!r}); no token in it works until you"
                " repair or remove it"
            )
    return {each.id: each for each in found.tokens}


def _is_possible(token: StoredToken) -> bool:
    """Whether the entry's names and networks are such as this release writes."""
    try:
        for network in token.sources:
            ipaddress.ip_network(network)
    except ValueError:
        return False
    return is_name(token.name) and is_name(token.principal) and token.sha256.isascii()


def _digest(token: str) -> str:
    # A header may contain any bytes; aiohttp decodes invalid UTF-8 to surrogates.
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def _random(size: int) -> str:
    return base64.b32encode(secrets.token_bytes(size)).decode().rstrip("=").lower()
