"""The keys used last are remembered, and only so many."""

from __future__ import annotations

from shellwire.jobs.model import ClientKey, JobKey
from shellwire.jobs.recent_keys import RecentKeys
from shellwire.principals import OWNER


def test_the_oldest_key_is_dropped_first() -> None:
    used = RecentKeys(3)
    keys = [JobKey(ClientKey(OWNER, "client"), str(number)) for number in range(5)]
    for key in keys[:3]:
        used.add(key)
    used.add(keys[0])
    assert len(used) == 3
    for key in keys[3:]:
        used.add(key)
    assert [key in used for key in keys] == [False, False, True, True, True]


def test_the_parts_of_a_key_are_not_mixed_up() -> None:
    used = RecentKeys(3)
    used.add(JobKey(ClientKey(OWNER, "a"), "bc"))
    assert JobKey(ClientKey(OWNER, "ab"), "c") not in used
    assert JobKey(ClientKey(OWNER, "a"), "bc") in used
