"""A short load of commands under kill, cancel and timeout races."""

from __future__ import annotations

import pytest

from bench.races import races


@pytest.mark.long
async def test_races() -> None:
    counts = await races(400, 60.0)
    assert counts["commands"] > 0
    assert counts["log: ERROR"] == counts["log: not exited in time"] == 0
