"""The status line on a terminal."""

from __future__ import annotations

import os

import pytest

from shellwire.cli.status_line import StatusLine


@pytest.mark.parametrize(
    ("columns", "shown"), [(80, "queued at 7"), (0, "queued at 7"), (20, "queued a")]
)
def test_it_fits_the_terminal_or_80_columns(
    columns: int, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    size = os.terminal_size((columns, 24))
    monkeypatch.setattr(os, "get_terminal_size", lambda _: size)
    line = StatusLine()
    monkeypatch.setattr(line, "_write", written.append)
    line.show("queued at 7")
    line.erase()
    assert written[0] == f"\rshellwire: {shown}"
    assert written[1].strip() == ""
