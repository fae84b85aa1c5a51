"""Known clients and revocations, shared by the daemon and the command line.

``clients.json`` keeps the format of release 0.1.4: an object with one entry per client,
``{client_id: {"first_seen": s, "last_seen": s, "is_revoked": bool}}``. Times are in seconds since
the epoch; null or missing for a client that has never connected. Unknown keys are kept. The entry
of another principal's client is named ``PRINCIPAL\\u0000CLIENT_ID``: no client_id contains a NUL.
The entry of a client that was kicked and may not come back yet also has
``"barred": {"until": s, "reason": ..., "by": ...}``.
Every change re-reads the file under a lock, so that two writers don't undo each other's changes.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shellwire.errors import DamagedFile
from shellwire.home.atomic import read_private, write_private
from shellwire.home.client_record import ClientRecord, entry_key
from shellwire.home.lock import LOCK_TIMEOUT, write_lock
from shellwire.principals import OWNER, Bar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shellwire.home.paths import Home

MAX_REMEMBERED = 1000
"""Most clients of a principal kept that are not revoked; beyond it the least recently seen are
dropped."""

SAVE_EVERY = 60.0
"""Seconds between two writes that only update a ``last_seen``."""

_MAX_TIME = 1e11
"""Largest number accepted as seconds since the epoch; a time in milliseconds is larger."""

_KNOWN_KEYS = frozenset({"first_seen", "last_seen", "is_revoked", "barred"})


_Records = dict[str, ClientRecord]
"""The records by ``key``."""


class Clients:
    """The clients of one home, as of the last ``load``, ``reload`` or change.

    Not for use by several threads at once.
    """

    def __init__(self, home: Home, records: _Records, timeout: float) -> None:
        self._home = home
        self._timeout = timeout
        self._records = records
        self._saved = {client_id: record.last_seen for client_id, record in records.items()}

    @classmethod
    def load(cls, home: Home, timeout: float = LOCK_TIMEOUT) -> Clients:
        """Read the file; a missing file means no clients.

        A change waits up to ``timeout`` seconds for another process that is writing.

        Raises DamagedFile if the file has another format than the one above, HomeError if it
        can't be read.
        """
        return cls(home, _read(home.clients_file), timeout)

    def reload(self) -> None:
        """Merge in changes by other processes. Raises like ``load``, and then changes nothing."""
        self._merge(_read(self._home.clients_file))

    def records(self) -> list[ClientRecord]:
        """Return the records that hold something, by principal and client_id, the owner's first."""
        found = (each for each in self._records.values() if not each.is_over)
        return sorted(found, key=lambda each: (each.principal != OWNER, each.key))

    def is_revoked(self, client_id: str, principal: str = OWNER) -> bool:
        """Return whether ``client_id`` of that principal is refused."""
        record = self._records.get(entry_key(client_id, principal))
        return record is not None and record.is_revoked

    def revoke(self, client_id: str, principal: str = OWNER) -> None:
        """Refuse ``client_id`` from now on, whether it was seen before or not.

        Raises like ``load``, and HomeError if the file can't be written.
        """
        key = entry_key(client_id, principal)

        def change(records: _Records) -> bool:
            record = records.get(key) or ClientRecord(client_id, principal)
            records[key] = replace(record, is_revoked=True)
            return not record.is_revoked

        self._change(change)

    def bar(self, client_id: str, principal: str, bar: Bar) -> None:
        """Refuse ``client_id`` for a while; a longer bar stays. Raises like ``revoke``."""
        key = entry_key(client_id, principal)

        def change(records: _Records) -> bool:
            record = records.get(key) or ClientRecord(client_id, principal)
            if record.bar is not None and record.bar.until >= bar.until:
                return False
            records[key] = replace(record, bar=bar)
            return True

        self._change(change)

    def bar_of(self, client_id: str, principal: str) -> Bar | None:
        """Return the bar of ``client_id`` if it may not connect at this moment."""
        record = self._records.get(entry_key(client_id, principal))
        return record.bar if record is not None and record.is_barred else None

    def restore(self, client_id: str, principal: str = OWNER) -> bool:
        """Let ``client_id`` connect again; False if it might already. Raises like ``revoke``."""
        key = entry_key(client_id, principal)

        def change(records: _Records) -> bool:
            record = records.get(key)
            if record is None or not (record.is_revoked or record.is_barred):
                return False
            records[key] = replace(record, is_revoked=False, bar=None)
            return True

        return self._change(change)

    def seen(self, client_id: str, principal: str = OWNER) -> None:
        """Set the ``last_seen`` of ``client_id``, which connects, disconnects or is connected.

        Writes the file for a new client at once, for others once in ``SAVE_EVERY`` seconds.
        Raises like ``revoke``; the change in memory then stays.
        """
        now = time.time()
        key = entry_key(client_id, principal)
        record = self._records.get(key) or ClientRecord(client_id, principal)
        first = now if record.first_seen is None else record.first_seen
        self._records[key] = replace(record, first_seen=first, last_seen=now)
        if now - (self._saved.get(key) or 0.0) >= SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Write the times that ``seen`` has not written yet. Raises like ``revoke``."""
        if any(record.last_seen != self._saved.get(i) for i, record in self._records.items()):
            self._change(lambda _: True)

    def _change(self, change: Callable[[_Records], bool]) -> bool:
        """Apply ``change`` to the merged records of disk and memory; write if it returns True."""
        self._home.ensure()
        with write_lock(self._home, self._timeout):
            self._merge(_read(self._home.clients_file))
            records = dict(self._records)
            changed = change(records)
            if changed:
                records = _bounded(records)
                write_private(self._home.clients_file, _dump(records))
                self._records = records
                self._saved = {i: record.last_seen for i, record in records.items()}
        return changed

    def _merge(self, on_disk: _Records) -> None:
        """Replace the records by ``on_disk``, but keep the times that were not written yet."""
        unsaved = {
            i: record
            for i, record in self._records.items()
            if record.last_seen != self._saved.get(i)
        }
        self._records = on_disk
        self._saved = {i: record.last_seen for i, record in on_disk.items()}
        for client_id, ours in unsaved.items():
            theirs = on_disk.get(client_id, ours)
            self._records[client_id] = replace(
                theirs,
                first_seen=ours.first_seen if theirs.first_seen is None else theirs.first_seen,
                last_seen=max(ours.last_seen or 0.0, theirs.last_seen or 0.0),
            )


def _bounded(records: _Records) -> _Records:
    numbers: dict[str, int] = {}
    # Only what had a bar: another process may not have written yet when it saw the others.
    dropped = {each.key for each in records.values() if each.is_over}
    for record in sorted(records.values(), key=lambda each: each.last_seen or 0.0, reverse=True):
        if not (record.is_revoked or record.is_barred):
            numbers[record.principal] = numbers.get(record.principal, 0) + 1
            if numbers[record.principal] > MAX_REMEMBERED:
                dropped.add(record.key)
    return {key: record for key, record in records.items() if key not in dropped}


def _dump(records: _Records) -> bytes:
    entries = {
        record.key: {
            **record.extra,
            "first_seen": record.first_seen,
            "last_seen": record.last_seen,
            "is_revoked": record.is_revoked,
            **({"barred": record.bar._asdict()} if record.bar and record.is_barred else {}),
        }
        for record in records.values()
    }
    return json.dumps(entries, indent=2).encode() + b"\n"


def _read(path: Path) -> _Records:
    content = read_private(path)
    if content is None:
        return {}
    try:
        entries = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "it is not JSON") from error
    if not isinstance(entries, dict):
        raise _damaged(path, "it is not a JSON object")
    return {key: _parse(path, key, entry) for key, entry in entries.items()}


def _parse(path: Path, key: str, entry: object) -> ClientRecord:
    if not isinstance(entry, dict):
        raise _damaged(path, f"the entry of {key!r} is not an object")
    is_revoked = entry.get("is_revoked", False)
    if not isinstance(is_revoked, bool):
        raise _damaged(path, f"is_revoked of {key!r} is not true or false")
    principal, nul, client_id = key.partition("\0")
    return ClientRecord(
        client_id if nul else key,
        principal if nul else OWNER,
        _seconds(path, key, entry, "first_seen"),
        _seconds(path, key, entry, "last_seen"),
        is_revoked,
        _bar(path, key, entry.get("barred")),
        {name: value for name, value in entry.items() if name not in _KNOWN_KEYS},
    )


def _bar(path: Path, key: str, value: object) -> Bar | None:
    if value is None:
        return None
    fields = value if isinstance(value, dict) else {}
    until = _seconds(path, f"barred of {key}", fields, "until")
    reason, by = fields.get("reason"), fields.get("by")
    if until is None or not (isinstance(reason, str) and isinstance(by, str)):
        raise _damaged(path, f"barred of {key!r} lacks until, reason or by")
    return Bar(until, reason, by)


def _seconds(path: Path, client_id: str, entry: dict[str, Any], key: str) -> float | None:
    value = entry.get(key)
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value < _MAX_TIME:
        raise _damaged(path, f"{key} of {client_id!r} is not a time")
    return float(value)


def _damaged(path: Path, why: str) -> DamagedFile:
    return DamagedFile(
        f"{path} is damaged ({why}); it may hold a revocation, so repair or remove it yourself"
    )
