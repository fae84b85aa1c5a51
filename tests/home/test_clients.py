"""Clients are remembered, revocations are never lost, and a damaged file is an error."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from shellwire.errors import DamagedFile, HomeError
from shellwire.home.clients import MAX_REMEMBERED, Clients
from shellwire.principals import Bar
from tests.home.helpers import lock_held_elsewhere, mode, start_python

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.home.paths import Home


def on_disk(home: Home) -> Any:
    return json.loads(home.clients_file.read_bytes())


def entry(last_seen: float = 2.0, *, is_revoked: bool = False) -> dict[str, Any]:
    return {"first_seen": 1.0, "last_seen": last_seen, "is_revoked": is_revoked}


def put(home: Home, entries: object) -> None:
    home.clients_file.write_text(json.dumps(entries))


def test_no_clients_at_first(home: Home) -> None:
    clients = Clients.load(home)
    assert clients.records() == []
    assert not clients.is_revoked("a")
    assert not home.clients_file.exists()


def test_the_file_of_0_1_4_is_read(home: Home) -> None:
    put(home, {"bad": {"first_seen": 1.5, "last_seen": 2.5, "is_revoked": True}})
    home.clients_file.chmod(0o644)
    clients = Clients.load(home)
    assert clients.is_revoked("bad")
    (record,) = clients.records()
    assert (record.first_seen, record.last_seen) == (1.5, 2.5)
    assert mode(home.clients_file) == 0o600


def test_a_revocation_lasts_and_is_undone(home: Home) -> None:
    Clients.load(home).revoke("never seen")
    assert Clients.load(home).is_revoked("never seen")
    assert mode(home.clients_file) == 0o600
    assert Clients.load(home).restore("never seen")
    assert not Clients.load(home).is_revoked("never seen")
    assert not Clients.load(home).restore("never seen")


def test_a_client_never_seen_has_no_times(home: Home) -> None:
    clients = Clients.load(home)
    clients.revoke("a")
    assert on_disk(home)["a"] == {"first_seen": None, "last_seen": None, "is_revoked": True}
    put(home, {**on_disk(home), "b": {"is_revoked": True}})
    for each in Clients.load(home).records():
        assert (each.first_seen, each.last_seen) == (None, None)
    clients.restore("a")
    before = time.time()
    clients.seen("a")
    record = clients.records()[0]
    assert record.first_seen is not None
    assert before <= record.first_seen == record.last_seen
    assert on_disk(home)["a"]["first_seen"] == record.first_seen


def test_an_unwritten_first_visit_survives_a_revocation(home: Home) -> None:
    clients = Clients.load(home)
    clients.revoke("a")
    with lock_held_elsewhere(home, "write_lock"), pytest.raises(HomeError):
        Clients.seen(ours := Clients.load(home, timeout=0.0), "a")
    Clients.load(home).restore("a")
    ours.reload()
    (record,) = ours.records()
    assert not record.is_revoked
    assert record.first_seen == record.last_seen is not None
    ours.save()
    assert on_disk(home)["a"]["first_seen"] == record.first_seen


def test_nothing_is_left_of_a_bar_that_has_ended(home: Home) -> None:
    clients = Clients.load(home)
    clients.bar("cli-1", "ann", Bar(time.time() - 1, "x", "owner"))  # was never seen
    clients.seen("phone", "ann")
    clients.bar("phone", "ann", Bar(time.time() - 1, "x", "owner"))
    clients.bar("tab", "ann", Bar(time.time() + 600, "x", "owner"))
    for known in (clients, Clients.load(home)):
        assert [each.client_id for each in known.records()] == ["phone", "tab"]
    assert sorted(on_disk(home)) == ["ann\0phone", "ann\0tab"]
    put(home, {"cli-1": {"barred": {"until": 1, "reason": "x", "by": "owner"}}})
    assert Clients.load(home).records() == []


def test_restoring_an_unknown_client_changes_nothing(home: Home) -> None:
    assert not Clients.load(home).restore("stranger")
    assert not home.clients_file.exists()


def test_revoking_twice_keeps_the_times(home: Home) -> None:
    put(home, {"a": entry(is_revoked=True)})
    Clients.load(home).revoke("a")
    assert on_disk(home) == {"a": entry(is_revoked=True)}


def test_two_writers_do_not_undo_each_other(home: Home) -> None:
    daemon, cli = Clients.load(home), Clients.load(home)
    daemon.seen("a")
    cli.revoke("b")
    daemon.seen("c")
    assert {record.client_id for record in Clients.load(home).records()} == {"a", "b", "c"}
    assert daemon.is_revoked("b")


def test_many_processes_do_not_undo_each_other(home: Home) -> None:
    code = """
from shellwire.home.clients import Clients
name = sys.stdin.read()
for number in range(10):
    Clients.load(home).revoke(f"{name}{number}")
"""
    writers = {name: start_python(home, code) for name in "abcd"}
    for name, writer in writers.items():
        writer.communicate(name)
        assert writer.returncode == 0
    expected = {f"{name}{number}" for name in "abcd" for number in range(10)}
    assert set(on_disk(home)) == expected


def test_a_reload_shows_changes_of_others(home: Home) -> None:
    ours = Clients.load(home)
    Clients.load(home).revoke("a")
    assert not ours.is_revoked("a")
    ours.reload()
    assert ours.is_revoked("a")
    Clients.load(home).restore("a")
    ours.reload()
    assert not ours.is_revoked("a")


def test_a_first_visit_is_written_at_once_and_a_second_later(home: Home) -> None:
    clients = Clients.load(home)
    before = time.time()
    clients.seen("a")
    written = on_disk(home)
    assert before <= written["a"]["first_seen"] == written["a"]["last_seen"] <= time.time()
    clients.seen("a")
    assert on_disk(home) == written
    (record,) = clients.records()
    assert record.last_seen is not None
    assert record.last_seen > written["a"]["last_seen"]
    clients.save()
    assert on_disk(home)["a"]["last_seen"] == record.last_seen
    assert on_disk(home)["a"]["first_seen"] == written["a"]["first_seen"]


def test_a_visit_long_after_is_written(home: Home) -> None:
    put(home, {"a": entry()})
    Clients.load(home).seen("a")
    assert on_disk(home)["a"]["first_seen"] == 1.0
    assert on_disk(home)["a"]["last_seen"] > 2.0


def test_unwritten_times_survive_a_reload(home: Home) -> None:
    clients = Clients.load(home)
    clients.seen("a")
    clients.seen("a")
    (before,) = clients.records()
    Clients.load(home).revoke("a")
    clients.reload()
    (after,) = clients.records()
    assert after.last_seen == before.last_seen
    assert after.is_revoked


def test_a_visit_never_loses_a_revocation(home: Home) -> None:
    clients = Clients.load(home)
    clients.seen("a")
    Clients.load(home).revoke("a")
    clients.seen("a")
    clients.save()
    assert Clients.load(home).is_revoked("a")


def test_saving_nothing_writes_nothing(home: Home) -> None:
    Clients.load(home).save()
    assert not home.clients_file.exists()


def test_the_oldest_are_dropped_but_no_revocation(home: Home) -> None:
    entries = {f"seen {n:04}": entry(10.0 + n) for n in range(MAX_REMEMBERED)}
    revoked = {f"revoked {n:04}": entry(is_revoked=True) for n in range(20)}
    put(home, entries | revoked)
    Clients.load(home).seen("new")
    left = on_disk(home)
    assert set(entries) | set(revoked) | {"new"} == set(left) | {"seen 0000"}
    assert "seen 0000" not in left


def test_unknown_keys_are_kept(home: Home) -> None:
    put(home, {"a": {**entry(), "note": {"by": "somebody"}}})
    Clients.load(home).revoke("a")
    assert on_disk(home)["a"] == {**entry(is_revoked=True), "note": {"by": "somebody"}}


def test_any_text_can_be_a_client_id(home: Home) -> None:
    strange = ["", "é…", "\x1b[31m", "\n", "\ud800", "a" * 10_000, "🦀"]
    for client_id in strange:
        Clients.load(home).revoke(client_id)
    assert [record.client_id for record in Clients.load(home).records()] == sorted(strange)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a": 1}',
        b'{"a": {"is_revoked": "yes"}}',
        b'{"a": {"is_revoked": 1}}',
        b'{"a": {"is_revoked": null}}',
        b'{"a": {"first_seen": "now"}}',
        b'{"a": {"first_seen": true}}',
        b'{"a": {"last_seen": NaN}}',
        b'{"a": {"last_seen": -1}}',
        b'{"a": {"last_seen": 1e400}}',
        b'{"a": {"last_seen": 1' + b"0" * 400 + b"}}",
        b'{"a": {"last_seen": 1' + b"0" * 5000 + b"}}",
        b'{"a\\nb": {"is_revoked": 1}}',
    ],
    ids=range(18),
)
def test_a_damaged_file_is_refused_and_unchanged(home: Home, content: bytes) -> None:
    clients = Clients.load(home)
    clients.revoke("a")
    home.clients_file.write_bytes(content)
    attempts: list[Callable[[], object]] = [
        lambda: Clients.load(home),
        clients.reload,
        lambda: clients.revoke("b"),
        lambda: clients.restore("a"),
        lambda: clients.seen("b"),
    ]
    for attempt in attempts:
        with pytest.raises(DamagedFile, match="is damaged") as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert clients.is_revoked("a")
    assert home.clients_file.read_bytes() == content


def test_a_visit_that_cannot_be_written_stays_in_memory(home: Home) -> None:
    clients = Clients.load(home)
    home.clients_file.mkdir()
    with pytest.raises(HomeError):
        clients.seen("a")
    home.clients_file.rmdir()
    clients.save()
    assert "a" in on_disk(home)
