"""Temporary files are noted, and only they are swept."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from shellwire.home.litter import HomeLitter
from shellwire.home.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

NAME = ".shellwire-0123456789abcdef"


@pytest.fixture
def litter(tmp_path: Path) -> HomeLitter:
    (tmp_path / "home").mkdir()
    return HomeLitter(Home(tmp_path / "home"))


def noted(tmp_path: Path) -> list[str]:
    return os.listdir(tmp_path / "home" / "unfinished")


def test_what_is_forgotten_is_not_swept(litter: HomeLitter, tmp_path: Path) -> None:
    (tmp_path / NAME).touch()
    note = litter.note(os.fsencode(tmp_path / NAME))
    assert noted(tmp_path) == [NAME]
    litter.forget(note)
    assert noted(tmp_path) == []
    litter.sweep()
    assert (tmp_path / NAME).exists()


def test_what_is_noted_is_swept(litter: HomeLitter, tmp_path: Path) -> None:
    (tmp_path / NAME).touch()
    litter.note(os.fsencode(tmp_path / NAME))
    litter.note(os.fsencode(tmp_path / ".shellwire-fedcba9876543210"))  # it did not come to that
    litter.sweep()
    assert noted(tmp_path) == []
    assert os.listdir(tmp_path) == ["home"]
    litter.close()
    assert os.listdir(tmp_path / "home") == []


def test_nothing_else_is_swept(litter: HomeLitter, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "home" / "unfinished").mkdir()
    for target in (tmp_path / "file", f"../../{NAME}", tmp_path / f"{NAME}0"):
        (tmp_path / "home" / "unfinished" / os.path.basename(target)).symlink_to(target)
    litter.sweep()
    assert noted(tmp_path) == []
    assert sorted(os.listdir(tmp_path)) == ["file", "home"]


def test_a_directory_is_swept_with_its_files(litter: HomeLitter, tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / NAME).touch()
    litter.note(os.fsencode(tmp_path / NAME))
    litter.sweep()
    assert os.listdir(tmp_path) == ["home"]


def test_a_home_that_can_not_take_notes_costs_nothing(
    litter: HomeLitter, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home").rmdir()
    litter.sweep()
    for _ in range(2):
        note = litter.note(os.fsencode(tmp_path / NAME))
        assert note is None
        litter.forget(note)
    assert len(caplog.records) == 1
