"""Many timeouts by one timer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.jobs.deadlines import Deadlines
from tests.jobs.observe import becomes

if TYPE_CHECKING:
    import pytest


async def test_each_is_called_once_in_order() -> None:
    deadlines = Deadlines()
    calls: list[str] = []
    for name, seconds in (("third", 0.03), ("first", 0.01), ("second", 0.02)):
        deadlines.set(name, seconds, lambda name=name: calls.append(name))  # type: ignore[misc]
    await becomes(lambda: len(calls) == 3)
    assert calls == ["first", "second", "third"]
    deadlines.close()


async def test_cancelled_ones_are_not_called() -> None:
    deadlines = Deadlines()
    calls: list[str] = []
    deadlines.set("a", 0.01, lambda: calls.append("a"))
    deadlines.set("b", 0.02, lambda: calls.append("b"))
    deadlines.cancel("a")
    deadlines.cancel("unknown")
    await becomes(lambda: calls == ["b"])
    deadlines.set("c", 0.01, lambda: calls.append("c"))
    deadlines.set("d", 0.0, lambda: calls.append("d"))
    await becomes(lambda: calls == ["b", "d", "c"])
    deadlines.close()


async def test_one_may_cancel_another_that_is_due(caplog: pytest.LogCaptureFixture) -> None:
    deadlines = Deadlines()
    calls: list[str] = []

    def first() -> None:
        calls.append("first")
        deadlines.cancel("second")
        raise ValueError("on purpose")

    deadlines.set("first", 0.0, first)
    deadlines.set("second", 0.0, lambda: calls.append("second"))
    deadlines.set("third", 0.0, lambda: calls.append("third"))
    await becomes(lambda: calls == ["first", "third"])
    assert "on purpose" in caplog.text
    deadlines.close()
