"""``shellwire sync``: changes are copied to the other side; conflicts are reported."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

import click
import pytest

from shellwire.cli.files.sync import sync_command
from tests.cli.sync_pair import contents, names, sync

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.command_line import CommandLine


@pytest.mark.long
def test_changes_go_to_the_other_side(box: CommandLine, sides: tuple[Path, Path]) -> None:
    here, there = sides
    planned = sync(box, sides, "--dry-run")
    assert planned == (0, [f"create remote {there}", "push a", "push sub/b"], [])
    assert not there.exists()
    assert sync(box, sides) == planned
    assert contents(there) == contents(here)
    assert (there / "a").stat().st_mtime_ns == (here / "a").stat().st_mtime_ns
    assert sync(box, sides) == (0, [], [])
    (here / "a").write_text("a2")
    (there / "sub" / "b").chmod(0o644)
    (there / "new" / "dir").mkdir(parents=True)
    (there / "new" / "dir" / "é").write_text("c")
    assert sync(box, sides) == (0, ["pull new/dir/é", "pull sub/b", "push a"], [])
    assert contents(there) == contents(here)
    assert not stat.S_IXUSR & (here / "sub" / "b").stat().st_mode
    assert sync(box, sides) == (0, [], [])


def test_deleted_only_if_asked(box: CommandLine, sides: tuple[Path, Path]) -> None:
    here, there = sides
    sync(box, sides)
    (here / "sub" / "b").unlink()
    (there / "a").unlink()
    assert sync(box, sides) == (0, [], [])
    said = ["delete local a", "delete remote sub/b"]
    assert sync(box, sides, "--delete", "--dry-run") == (0, said, [])
    assert (there / "sub" / "b").exists()
    assert sync(box, sides, "--delete") == (0, said, [])
    assert names(here) == names(there) == ["sub"]


@pytest.mark.long
def test_directories(box: CommandLine, sides: tuple[Path, Path]) -> None:
    here, there = sides
    (here / "empty").mkdir()
    (here / "deep" / "er").mkdir(parents=True)
    changes = [f"create remote {there}", "push a", "push deep/er", "push empty", "push sub/b"]
    assert sync(box, sides, "--dry-run") == (0, changes, [])
    assert sync(box, sides) == (0, changes, [])
    assert names(there) == names(here)
    shutil.rmtree(here / "deep")
    shutil.rmtree(here / "sub")
    (there / "deep" / "er" / "new").write_text("new")  # so deep and deep/er are kept
    (there / "a").unlink()
    (there / "a").mkdir()
    (here / "empty").rmdir()
    (here / "empty").write_text("a file now")
    changes = ["delete remote sub/b", "pull a", "pull deep/er/new", "push empty"]
    assert sync(box, sides, "--delete") == (0, changes, [])
    assert names(there) == names(here) == ["a", "deep", "deep/er", "deep/er/new", "empty"]
    assert sync(box, sides, "--delete") == (0, [], [])
    (here / "empty").unlink()
    (there / "empty").unlink()
    (here / "empty").mkdir()
    (here / "empty" / "f").touch()
    (there / "empty").write_text("another")
    code, changes, warned = sync(box, sides)
    assert (code, changes) == (3, [])
    assert warned == ["Error: conflict: empty: a directory locally, a file remotely"]


@pytest.mark.long
def test_a_change_of_kind_deletes_only_if_asked(box: CommandLine, sides: tuple[Path, Path]) -> None:
    here, there = sides
    for name in ("c", "d"):
        (here / name).write_text(name)
    for name in ("empty", "e"):
        (here / name).mkdir()
    (here / "link").symlink_to("a")
    (here / "full").mkdir()
    (here / "full" / "f").write_text("f")
    sync(box, sides)
    (here / "c").unlink()
    (here / "c").mkdir()
    (here / "c" / "new").write_text("new")
    (there / "d").unlink()
    (there / "d").symlink_to("a")
    (here / "link").unlink()
    (here / "link").write_text("a file now")
    shutil.rmtree(there / "full")
    (there / "full").write_text("a file now")
    (there / "empty").rmdir()
    (there / "empty").write_text("a file now")
    (here / "e").rmdir()
    (here / "e").symlink_to("a")
    before = contents(here), contents(there)
    wanted = (
        3,
        ["pull empty", "push e"],
        [
            "Error: conflict: c: a directory locally, a file remotely",
            "Error: conflict: d: a file locally, a symlink remotely",
            "Error: conflict: full: a directory locally, a file remotely",
            "Error: conflict: link: a file locally, a symlink remotely",
        ],
    )
    assert sync(box, sides, "--dry-run") == wanted
    assert sync(box, sides) == wanted
    (here / "empty").unlink()
    (there / "e").unlink()
    assert (contents(here), contents(there)) == before, before
    (here / "empty").write_text("a file now")
    (there / "e").symlink_to("a")
    code, _, warned = sync(box, sides, "--delete")
    assert (code, warned) == (0, [])
    assert contents(here) == contents(there)
    assert names(here) == names(there)
    assert names(here) == ["a", "c", "c/new", "d", "e", "empty", "full", "link", "sub", "sub/b"]


@pytest.mark.long
def test_directories_that_are_not_there(box: CommandLine, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    assert "Error: neither" in box.refused("sync", str(here), f"box:{there}")
    here.mkdir()
    assert box.ok("sync", "--dry-run", str(here), f"box:{there}") == f"create remote {there}\n"
    assert not there.exists()
    assert box.ok("sync", str(here), f"box:{there}") == f"create remote {there}\n"
    assert there.is_dir()
    here.rmdir()
    assert box.ok("sync", f"box:{there}", str(here)) == f"create local {here}\n"
    assert here.is_dir()


@pytest.mark.long
def test_conflicts(box: CommandLine, sides: tuple[Path, Path]) -> None:
    here, there = sides
    there.mkdir()
    (there / "a").write_text("other")
    both = "Error: conflict: a: changed on both sides"
    assert sync(box, sides) == (3, ["push sub/b"], [both])
    assert ((here / "a").read_text(), (there / "a").read_text()) == ("a", "other")
    (here / "a").write_text("other")
    assert sync(box, sides) == (0, [], [])
    (here / "a").write_text("mine")
    (there / "a").unlink()
    (here / "sub" / "b").unlink()
    (there / "sub" / "b").write_text("theirs")
    code, said, warned = sync(box, sides, "--delete")
    assert (code, said) == (3, [])
    assert warned == [
        "Error: conflict: a: changed locally, deleted remotely",
        "Error: conflict: sub/b: deleted locally, changed remotely",
    ]
    assert (here / "a").read_text() == "mine"
    assert (there / "sub" / "b").read_text() == "theirs"


def test_usage(box: CommandLine, tmp_path: Path) -> None:
    for words in (["a", "b"], ["box:a", ":b"], ["a"]):
        with pytest.raises(click.UsageError):
            sync_command.main(words, standalone_mode=False)
    (tmp_path / "f").touch()
    assert "is not a directory" in box.refused("sync", f"{tmp_path}/f", f"box:{tmp_path}/d")
    assert "is not a directory" in box.refused("sync", f"{tmp_path}/d", f"box:{tmp_path}/f")


@pytest.mark.long
def test_what_is_private_stays_private(box: CommandLine, sides: tuple[Path, Path]) -> None:
    here, there = sides
    there.mkdir()
    for top, name in ((here, "ours"), (there, "theirs")):
        (top / name / "deep").mkdir(parents=True)
        (top / name).chmod(0o700)
        (top / name / "deep" / "file").touch()
    assert sync(box, sides)[0] == 0
    for top in sides:
        assert (top / "ours" / "deep" / "file").exists()
        assert [stat.S_IMODE((top / each).stat().st_mode) for each in ("ours", "theirs")] == [
            0o700,
            0o700,
        ]
    there, back = here.with_name("other"), here.with_name("back")
    here.chmod(0o700)
    assert sync(box, (here, there))[0] == sync(box, (back, there))[0] == 0
    assert stat.S_IMODE(there.stat().st_mode) == stat.S_IMODE(back.stat().st_mode) == 0o700


@pytest.mark.long
def test_a_directory_is_not_synced_with_one_in_it(
    box: CommandLine, sides: tuple[Path, Path]
) -> None:
    here, _ = sides
    (here / "alias").symlink_to(here)
    # Converted to seconds in two ways, this time differs in the last bit, around a rounding limit.
    os.utime(here, ns=(1_795_000_000_909_925_047,) * 2)
    for there in (here, here / "in", here / "alias" / "in", here.parent):
        status, said, (warning,) = sync(box, (here, there))
        assert (status, said) == (1, [])
        assert "one is in the other" in warning
    assert names(here) == ["a", "alias", "sub", "sub/b"]


def test_a_whole_file_system_is_not_synced(box: CommandLine, tmp_path: Path) -> None:
    why = "Error: /: a whole file system can't be synced\n"
    assert box.refused("sync", "--dry-run", "/", f"box:{tmp_path}/there") == why
    assert box.refused("sync", "--dry-run", str(tmp_path), "box:/") == why


def test_a_pair_has_one_manifest_by_whatever_name(
    box: CommandLine, sides: tuple[Path, Path]
) -> None:
    here, there = sides
    assert sync(box, sides)[0] == 0
    alias = there.with_name("alias")
    alias.symlink_to(there)
    (there / "a").unlink()
    assert sync(box, (here, alias), "--delete") == (0, ["delete local a"], [])
