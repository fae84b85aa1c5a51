"""Slots, queue and contexts: a state machine against a model, and edge cases."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shellwire.errors import QueueFull, TooManyProcesses
from shellwire.jobs.slots import Slots

MAX_RUNNING, MAX_WAITING = 3, 5
_CONTEXTS = st.sampled_from([None, None, "a", "b"])


class Scheduling(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.slots: Slots[int] = Slots(MAX_RUNNING, MAX_WAITING)
        self.numbers = 0
        self.contexts: dict[int, str | None] = {}
        self.running: set[int] = set()
        self.waiting: list[int] = []
        self.begun: list[int] = []

    def _new(self, context: str | None) -> int:
        self.numbers += 1
        self.contexts[self.numbers] = context
        return self.numbers

    def _blocked(self, key: int) -> bool:
        context = self.contexts[key]
        if context is None:
            return False
        ahead = self.waiting[: self.waiting.index(key)] if key in self.waiting else self.waiting
        return any(self.contexts[each] == context for each in [*self.running, *ahead])

    @rule(context=_CONTEXTS)
    def admit(self, context: str | None) -> None:
        key = self._new(context)
        must_wait = len(self.running) == MAX_RUNNING or self._blocked(key)
        if must_wait and len(self.waiting) == MAX_WAITING:
            with pytest.raises(QueueFull):
                self.slots.admit_command(key, context)
            return
        place = self.slots.admit_command(key, context)
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
                self.slots.admit_session(key)
            return
        self.slots.admit_session(key)
        self.running.add(key)

    @precondition(lambda self: self.running or self.waiting)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted([*self.running, *self.waiting])))
        self.running.discard(key)
        if key in self.waiting:
            self.waiting.remove(key)
        for begun in self.slots.leave(key):
            # An overtaken command could not have run.
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
    def only_blocked_keys_wait(self) -> None:
        if len(self.running) < MAX_RUNNING:
            assert all(self._blocked(key) for key in self.waiting)

    @invariant()
    def contexts_are_single_and_ordered(self) -> None:
        for context in ("a", "b"):
            assert sum(self.contexts[key] == context for key in self.running) <= 1
            order = [key for key in self.begun if self.contexts[key] == context]
            assert order == sorted(order)


TestScheduling = Scheduling.TestCase


def test_a_busy_context_waits_while_slots_are_free() -> None:
    slots: Slots[str] = Slots(4, 2)
    assert slots.admit_command("first", "context") == 0
    assert slots.admit_command("second", "context") == 1
    assert slots.admit_command("other", None) == 0
    assert slots.admit_command("third", "context") == 2
    with pytest.raises(QueueFull):
        slots.admit_command("fourth", "context")
    assert slots.leave("second") == []
    assert slots.leave("first") == ["third"]


def test_a_queue_of_length_zero() -> None:
    slots: Slots[str] = Slots(1, 0)
    slots.admit_session("session")
    with pytest.raises(QueueFull, match="no command may wait"):
        slots.admit_command("command", None)
