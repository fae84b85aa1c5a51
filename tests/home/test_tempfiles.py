"""Temporary files are noted, and only they are swept."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from shellwire.errors import FileSystemError
from shellwire.files.change import delete_all
from shellwire.home.paths import Home
from shellwire.home.tempfiles import HomeTempfiles

if TYPE_CHECKING:
    from pathlib import Path

NAME = ".shellwire-0123456789abcdef"


@pytest.fixture
def tempfiles(tmp_path: Path) -> HomeTempfiles:
    (tmp_path / "home").mkdir()
    return HomeTempfiles(Home(tmp_path / "home"))


def noted(tmp_path: Path) -> list[str]:
    return os.listdir(tmp_path / "home" / "unfinished")


def test_what_is_forgotten_is_not_swept(tempfiles: HomeTempfiles, tmp_path: Path) -> None:
    (tmp_path / NAME).touch()
    note = tempfiles.note(os.fsencode(tmp_path / NAME))
    assert noted(tmp_path) == [NAME]
    tempfiles.forget(note)
    assert noted(tmp_path) == []
    tempfiles.sweep(delete_all)
    assert (tmp_path / NAME).exists()


def test_what_is_noted_is_swept(tempfiles: HomeTempfiles, tmp_path: Path) -> None:
    (tmp_path / NAME).touch()
    tempfiles.note(os.fsencode(tmp_path / NAME))
    tempfiles.note(os.fsencode(tmp_path / ".shellwire-fedcba9876543210"))  # it did not come to that
    tempfiles.sweep(delete_all)
    assert noted(tmp_path) == []
    assert os.listdir(tmp_path) == ["home"]
    tempfiles.close()
    assert os.listdir(tmp_path / "home") == []


def test_nothing_else_is_swept(tempfiles: HomeTempfiles, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "home" / "unfinished").mkdir()
    for target in (tmp_path / "file", f"../../{NAME}", tmp_path / f"{NAME}0"):
        (tmp_path / "home" / "unfinished" / os.path.basename(target)).symlink_to(target)
    tempfiles.sweep(delete_all)
    assert noted(tmp_path) == []
    assert sorted(os.listdir(tmp_path)) == ["file", "home"]


def test_a_directory_is_removed_with_its_content(tempfiles: HomeTempfiles, tmp_path: Path) -> None:
    (tmp_path / NAME / "sub" / "deeper").mkdir(parents=True)
    (tmp_path / NAME / NAME).touch()
    (tmp_path / NAME / "sub" / "link").symlink_to(tmp_path / "home")
    tempfiles.note(os.fsencode(tmp_path / NAME))
    tempfiles.sweep(delete_all)
    assert os.listdir(tmp_path) == ["home"]
    assert noted(tmp_path) == []


def test_what_can_not_be_removed_is_told_and_tried_again(
    tempfiles: HomeTempfiles, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / NAME).touch()
    tempfiles.note(os.fsencode(tmp_path / NAME))

    def refused(path: bytes) -> bool:
        raise FileSystemError(f"{os.fsdecode(path)}: read-only")

    tempfiles.sweep(refused)
    assert "read-only" in caplog.text
    tempfiles.sweep(delete_all)
    assert os.listdir(tmp_path) == ["home"]


def test_a_home_that_can_not_take_notes_costs_nothing(
    tempfiles: HomeTempfiles, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home").rmdir()
    tempfiles.sweep(delete_all)
    for _ in range(2):
        note = tempfiles.note(os.fsencode(tmp_path / NAME))
        assert note is None
        tempfiles.forget(note)
    assert len(caplog.records) == 1
