"""Temporary files are recorded, and only recorded files are removed."""

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


def test_a_forgotten_file_is_not_removed(tempfiles: HomeTempfiles, tmp_path: Path) -> None:
    (tmp_path / NAME).touch()
    note = tempfiles.note(os.fsencode(tmp_path / NAME))
    assert noted(tmp_path) == [NAME]
    tempfiles.forget(note)
    assert noted(tmp_path) == []
    tempfiles.sweep(delete_all)
    assert (tmp_path / NAME).exists()


def test_a_recorded_file_is_removed(tempfiles: HomeTempfiles, tmp_path: Path) -> None:
    (tmp_path / NAME).touch()
    tempfiles.note(os.fsencode(tmp_path / NAME))
    tempfiles.note(
        os.fsencode(tmp_path / ".shellwire-fedcba9876543210")
    )  # recorded, but never created
    tempfiles.sweep(delete_all)
    assert noted(tmp_path) == []
    assert os.listdir(tmp_path) == ["home"]
    tempfiles.close()
    assert os.listdir(tmp_path / "home") == []


def test_no_other_file_is_removed(tempfiles: HomeTempfiles, tmp_path: Path) -> None:
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


def test_a_failed_removal_is_logged_and_retried(
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


def test_a_record_that_cannot_be_written_is_no_error(
    tempfiles: HomeTempfiles, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home").rmdir()
    tempfiles.sweep(delete_all)
    for _ in range(2):
        note = tempfiles.note(os.fsencode(tmp_path / NAME))
        assert note is None
        tempfiles.forget(note)
    assert len(caplog.records) == 1
