"""Known clients and revocations, shared by the daemon and the command line.

``clients.json`` keeps the format of release 0.1.4: an object with one entry per client,
``{client_id: {"first_seen": s, "last_seen": s, "is_revoked": bool}}``. Times are in seconds since
the epoch; null or missing for a client that has never connected. Unknown keys are kept. Every
change re-reads the file under a lock, so that two writers don't undo each other's changes.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shellwire.errors import DamagedFile
from shellwire.home.atomic import read_private, write_private
from shellwire.home.lock import LOCK_TIMEOUT, write_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from shellwire.home.paths import Home

MAX_REMEMBERED = 1000
"""Most clients kept that are not revoked; beyond it the least recently seen are dropped."""

SAVE_EVERY = 60.0
"""Seconds between two writes that only update a ``last_seen``."""

_MAX_TIME = 1e11
"""Largest number accepted as seconds since the epoch; a time in milliseconds is larger."""

_KNOWN_KEYS = frozenset({"first_seen", "last_seen", "is_revoked"})


@dataclass(frozen=True)
class ClientRecord:
    """One known client. Times are in seconds since the epoch, None if it was never seen."""

    client_id: str
    first_seen: float | None = None
    last_seen: float | None = None
    is_revoked: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


_Records = dict[str, ClientRecord]


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
        """Return all records, sorted by client_id."""
        return [self._records[client_id] for client_id in sorted(self._records)]

    def is_revoked(self, client_id: str) -> bool:
        """Return whether ``client_id`` is refused."""
        record = self._records.get(client_id)
        return record is not None and record.is_revoked

    def revoke(self, client_id: str) -> None:
        """Refuse ``client_id`` from now on, whether it was seen before or not.

        Raises like ``load``, and HomeError if the file can't be written.
        """

        def change(records: _Records) -> bool:
            record = records.get(client_id) or ClientRecord(client_id)
            records[client_id] = replace(record, is_revoked=True)
            return not record.is_revoked

        self._change(change)

    def restore(self, client_id: str) -> bool:
        """Let ``client_id`` connect again; False if it was not revoked. Raises like ``revoke``."""

        def change(records: _Records) -> bool:
            record = records.get(client_id)
            if record is None or not record.is_revoked:
                return False
            records[client_id] = replace(record, is_revoked=False)
            return True

        return self._change(change)

    def seen(self, client_id: str) -> None:
        """Set the ``last_seen`` of ``client_id``, which connects, disconnects or is connected.

        Writes the file for a new client at once, for others once in ``SAVE_EVERY`` seconds.
        Raises like ``revoke``; the change in memory then stays.
        """
        now = time.time()
        record = self._records.get(client_id) or ClientRecord(client_id)
        first = now if record.first_seen is None else record.first_seen
        self._records[client_id] = replace(record, first_seen=first, last_seen=now)
        if now - (self._saved.get(client_id) or 0.0) >= SAVE_EVERY:
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
    remembered = [record for record in records.values() if not record.is_revoked]
    remembered.sort(key=lambda record: record.last_seen or 0.0, reverse=True)
    dropped = {record.client_id for record in remembered[MAX_REMEMBERED:]}
    return {i: record for i, record in records.items() if i not in dropped}


def _dump(records: _Records) -> bytes:
    entries = {
        record.client_id: {
            **record.extra,
            "first_seen": record.first_seen,
            "last_seen": record.last_seen,
            "is_revoked": record.is_revoked,
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
    return {client_id: _parse(path, client_id, entry) for client_id, entry in entries.items()}


def _parse(path: Path, client_id: str, entry: object) -> ClientRecord:
    if not isinstance(entry, dict):
        raise _damaged(path, f"the entry of {client_id!r} is not an object")
    is_revoked = entry.get("is_revoked", False)
    if not isinstance(is_revoked, bool):
        raise _damaged(path, f"is_revoked of {client_id!r} is not true or false")
    return ClientRecord(
        client_id,
        _seconds(path, client_id, entry, "first_seen"),
        _seconds(path, client_id, entry, "last_seen"),
        is_revoked,
        {key: value for key, value in entry.items() if key not in _KNOWN_KEYS},
    )


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
