"""Slots with quotas: a principal's limits, and the place of the queue that is the owner's."""

from __future__ import annotations

import pytest

from shellwire.errors import QueueFull
from shellwire.jobs.quota import Quota, Share
from shellwire.jobs.slots import OverQuota, Slots

ALICE = Share("alice", Quota(sessions=1, commands=2, queued=2))
BOB = Share("bob", Quota(processes=1))


def test_commands_over_the_quota_wait() -> None:
    slots: Slots[str] = Slots(9, 9)
    assert [slots.admit_command(f"a{i}", None, ALICE) for i in range(4)] == [0, 0, 1, 2]
    with pytest.raises(OverQuota, match="2 waiting commands"):
        slots.admit_command("a4", None, ALICE)
    # Others overtake what waits for its own principal only.
    assert slots.admit_command("b", None, BOB) == 0
    assert slots.admit_command("owner", None) == 0
    assert slots.leave("b") == []
    assert slots.leave("a0") == ["a2"]
    assert slots.waiting_of("alice") == 1
    assert slots.waiting_of("bob") == 0


def test_sessions_and_commands_are_counted_apart() -> None:
    for max_sessions in (None, 9):
        slots: Slots[str] = Slots(9, 9, max_sessions)
        slots.admit_session("s", ALICE)
        with pytest.raises(OverQuota, match="1 sessions"):
            slots.admit_session("s2", ALICE)
        assert slots.admit_command("c", None, ALICE) == 0
        slots.admit_session("sb", BOB)
        with pytest.raises(OverQuota, match="1 commands and sessions"):
            slots.admit_session("sb2", BOB)
        assert slots.admit_command("cb", None, BOB) == 1
        assert slots.leave("sb") == ["cb"]


def test_the_last_place_is_the_owners() -> None:
    slots: Slots[int] = Slots(1, 3)
    assert slots.admit_command(0, None) == 0
    assert slots.admit_command(1, None, ALICE) == 1
    assert slots.admit_command(2, None, BOB) == 2
    with pytest.raises(QueueFull, match="no place in the queue is free"):
        slots.admit_command(3, None, BOB)
    assert slots.admit_command(4, None) == 3
    with pytest.raises(QueueFull, match="3 commands wait already"):
        slots.admit_command(5, None)
    # Where the owner has taken it, all others are still his to fill.
    slots = Slots(1, 2)
    assert [slots.admit_command(i, None) for i in range(3)] == [0, 1, 2]


def test_contexts_of_two_principals_are_two() -> None:
    slots: Slots[str] = Slots(9, 9)
    assert slots.admit_command("a", ("alice", "work"), ALICE) == 0
    assert slots.admit_command("b", ("bob", "work"), BOB) == 0
    assert slots.admit_command("o", ("alice", "work")) == 1
    assert slots.leave("a") == ["o"]
