"""Slots, queue and lanes: a state machine against a model, and its corners."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shellwire.errors import QueueFull, TooManyProcesses
from shellwire.jobs.slots import Slots

MAX_RUNNING, MAX_WAITING = 3, 5
_LANES = st.sampled_from([None, None, "a", "b"])


class Scheduling(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.slots: Slots[int] = Slots(MAX_RUNNING, MAX_WAITING)
        self.numbers = 0
        self.lanes: dict[int, str | None] = {}
        self.running: set[int] = set()
        self.waiting: list[int] = []
        self.begun: list[int] = []

    def _new(self, lane: str | None) -> int:
        self.numbers += 1
        self.lanes[self.numbers] = lane
        return self.numbers

    def _blocked(self, key: int) -> bool:
        lane = self.lanes[key]
        if lane is None:
            return False
        ahead = self.waiting[: self.waiting.index(key)] if key in self.waiting else self.waiting
        return any(self.lanes[each] == lane for each in [*self.running, *ahead])

    @rule(lane=_LANES)
    def admit(self, lane: str | None) -> None:
        key = self._new(lane)
        must_wait = len(self.running) == MAX_RUNNING or self._blocked(key)
        if must_wait and len(self.waiting) == MAX_WAITING:
            with pytest.raises(QueueFull):
                self.slots.admit(key, lane)
            return
        place = self.slots.admit(key, lane)
        if must_wait:
            self.waiting.append(key)
            assert place == len(self.waiting)
        else:
            assert place == 0
            self.running.add(key)
            self.begun.append(key)

    @rule()
    def take(self) -> None:
        key = self._new(None)
        if len(self.running) == MAX_RUNNING:
            with pytest.raises(TooManyProcesses):
                self.slots.take(key)
            return
        self.slots.take(key)
        self.running.add(key)

    @precondition(lambda self: self.running or self.waiting)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted([*self.running, *self.waiting])))
        self.running.discard(key)
        if key in self.waiting:
            self.waiting.remove(key)
        for begun in self.slots.leave(key):
            # Whoever is overtaken could not have run.
            for ahead in self.waiting[: self.waiting.index(begun)]:
                assert self._blocked(ahead)
            assert not self._blocked(begun)
            self.waiting.remove(begun)
            self.running.add(begun)
            self.begun.append(begun)

    @rule()
    def leave_unknown(self) -> None:
        assert self.slots.leave(-1) == []

    @invariant()
    def agrees(self) -> None:
        assert set(self.slots.running) == self.running
        assert self.slots.waiting == self.waiting
        assert len(self.running) <= MAX_RUNNING
        assert len(self.waiting) <= MAX_WAITING

    @invariant()
    def nobody_waits_in_vain(self) -> None:
        if len(self.running) < MAX_RUNNING:
            assert all(self._blocked(key) for key in self.waiting)

    @invariant()
    def lanes_are_single_and_ordered(self) -> None:
        for lane in ("a", "b"):
            assert sum(self.lanes[key] == lane for key in self.running) <= 1
            order = [key for key in self.begun if self.lanes[key] == lane]
            assert order == sorted(order)


TestScheduling = Scheduling.TestCase


def test_a_lane_waits_while_slots_are_free() -> None:
    slots: Slots[str] = Slots(4, 2)
    assert slots.admit("first", "lane") == 0
    assert slots.admit("second", "lane") == 1
    assert slots.admit("other", None) == 0
    assert slots.admit("third", "lane") == 2
    with pytest.raises(QueueFull):
        slots.admit("fourth", "lane")
    assert slots.leave("second") == []
    assert slots.leave("first") == ["third"]


def test_no_queue_at_all() -> None:
    slots: Slots[str] = Slots(1, 0)
    slots.take("session")
    with pytest.raises(QueueFull, match="no command may wait"):
        slots.admit("command", None)
