"""Known clients and revocations, shared by the daemon and the command line.

``clients.json`` keeps the format of release 0.1.4: an object with one entry a client,
``{client_id: {"first_seen": s, "last_seen": s, "is_revoked": bool}}``, times in seconds since the
epoch; null or missing for a client that has never connected. Keys that we don't know are kept.
Every change reads the file anew under a lock, so neither of two writers undoes what the other did.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shellwire.errors import DamagedFile
from shellwire.home.atomic import read_private, write_private
from shellwire.home.lock import PATIENCE, write_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from shellwire.home.paths import Home

MAX_REMEMBERED = 1000
"""Clients kept that are not revoked; beyond it those go that were seen longest ago."""

SAVE_EVERY = 60.0
"""Seconds between two writes that only bring a ``last_seen`` up to date."""

_MAX_TIME = 1e11
"""Seconds since the epoch beyond which a number is no time; milliseconds are beyond it."""

_KNOWN_KEYS = frozenset({"first_seen", "last_seen", "is_revoked"})


@dataclass(frozen=True)
class ClientRecord:
    """What is remembered of one client. Times in seconds since the epoch, None if never seen."""

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

    def __init__(self, home: Home, records: _Records, patience: float) -> None:
        self._home = home
        self._patience = patience
        self._records = records
        self._saved = {client_id: record.last_seen for client_id, record in records.items()}

    @classmethod
    def load(cls, home: Home, patience: float = PATIENCE) -> Clients:
        """Read the file; a missing one means no clients.

        A change waits ``patience`` seconds for another process that is about to make one.

        Raises DamagedFile if it holds anything but what is described above, HomeError if it
        can't be read.
        """
        return cls(home, _read(home.clients_file), patience)

    def reload(self) -> None:
        """Take over what another process has changed. Raises as ``load``, and then keeps all."""
        self._merge(_read(self._home.clients_file))

    def records(self) -> list[ClientRecord]:
        """Return what is known, sorted by client_id."""
        return [self._records[client_id] for client_id in sorted(self._records)]

    def is_revoked(self, client_id: str) -> bool:
        """Tell whether ``client_id`` may not connect."""
        record = self._records.get(client_id)
        return record is not None and record.is_revoked

    def revoke(self, client_id: str) -> None:
        """Refuse ``client_id`` from now on, seen before or not.

        Raises as ``load``, and HomeError if the file can't be written.
        """

        def change(records: _Records) -> bool:
            record = records.get(client_id) or ClientRecord(client_id)
            records[client_id] = replace(record, is_revoked=True)
            return not record.is_revoked

        self._change(change)

    def restore(self, client_id: str) -> bool:
        """Let ``client_id`` connect again; False if it was not revoked. Raises as ``revoke``."""

        def change(records: _Records) -> bool:
            record = records.get(client_id)
            if record is None or not record.is_revoked:
                return False
            records[client_id] = replace(record, is_revoked=False)
            return True

        return self._change(change)

    def seen(self, client_id: str) -> None:
        """Note that ``client_id`` comes, goes or is connected now.

        Writes the file for a new client, and for another once in ``SAVE_EVERY`` seconds. Raises
        as ``revoke``, and then has noted it in memory.
        """
        now = time.time()
        record = self._records.get(client_id) or ClientRecord(client_id)
        first = now if record.first_seen is None else record.first_seen
        self._records[client_id] = replace(record, first_seen=first, last_seen=now)
        if now - (self._saved.get(client_id) or 0.0) >= SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Write what ``seen`` has noted and not written yet. Raises as ``revoke``."""
        if any(record.last_seen != self._saved.get(i) for i, record in self._records.items()):
            self._change(lambda _: True)

    def _change(self, change: Callable[[_Records], bool]) -> bool:
        """Apply ``change`` to what is on disk and in memory; write if it returns True."""
        self._home.ensure()
        with write_lock(self._home, self._patience):
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
        """Take ``on_disk``, and keep from memory only the times that it doesn't have yet."""
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
