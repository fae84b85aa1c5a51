"""``shellwire sync --delete``: a side that looks vanished deletes nothing on the other."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from shellwire.cli.files.deletion_guard import refuse_mass_deletion, vanished_reason
from shellwire.cli.files.local_scan import stat_local
from shellwire.cli.files.manifest import DIRECTORY, CachedHash, File
from shellwire.cli.files.plan import Change
from shellwire.cli.files.scan import Scan
from shellwire.errors import DeletionRefused
from tests.cli.command_line import SECONDS, CommandLine, ended
from tests.cli.sync_pair import contents, manifest_of, names, sha256, sync

if TYPE_CHECKING:
    from pathlib import Path


def emptied(directory: Path) -> None:
    """Empty a directory, as unmounting a disk does."""
    shutil.rmtree(directory)
    directory.mkdir()


@pytest.mark.long
@pytest.mark.parametrize("which", [0, 1])
def test_a_side_that_is_suddenly_empty(
    box: CommandLine, sides: tuple[Path, Path], which: int
) -> None:
    assert sync(box, sides)[0] == 0
    vanished, other = sides[which], sides[1 - which]
    before = contents(other)
    emptied(vanished)
    why = (
        f"Error: {vanished} is empty, and the last sync had 3 files and directories in it:"
        " nothing was synced; --force-delete skips this check"
    )
    assert sync(box, sides, "--delete", "--dry-run") == (3, [], [why])
    assert sync(box, sides, "--delete") == (3, [], [why])
    assert sync(box, sides) == (0, [], [])  # without --delete it runs, and keeps the common state
    assert sync(box, sides, "--delete") == (3, [], [why])
    assert contents(other) == before
    # The disk is mounted again, with a new file.
    shutil.copytree(other, vanished, dirs_exist_ok=True)
    (vanished / "new").write_text("n")
    assert sync(box, sides, "--delete")[0] == 0
    assert contents(other) == contents(vanished)
    emptied(vanished)
    vanished.rmdir()
    code, changes, (warned,) = sync(box, sides, "--delete")
    assert (code, changes) == (3, [])
    assert warned.startswith(f"Error: {vanished} is gone")
    assert contents(other)
    assert sync(box, sides, "--force-delete")[0] == 0
    assert names(vanished) == names(other) == []
    assert sync(box, sides, "--delete") == (0, [], [])


@pytest.mark.long
def test_another_directory_in_its_place(box: CommandLine, sides: tuple[Path, Path]) -> None:
    here, there = sides
    assert sync(box, sides)[0] == 0
    here.rename(here.with_name("unmounted"))
    here.mkdir()
    (here / "another").write_text("disk")
    code, changes, (warned,) = sync(box, sides, "--delete")
    assert (code, changes) == (3, [])
    assert warned.startswith(f"Error: {here} is another directory than at the last sync,")
    assert names(there) == ["a", "sub", "sub/b"]
    # With a known file in it, it counts as the same directory again.
    (here / "a").write_text("a")
    changes = ["delete remote sub/b", "push another"]
    assert sync(box, sides, "--delete") == (0, changes, [])
    # In the same directory all files may be renamed.
    (here / "a").rename(here / "b")
    (here / "another").rename(here / "c")
    changes = ["delete remote a", "delete remote another", "push b", "push c"]
    assert sync(box, sides, "--delete") == (0, changes, [])


def test_more_than_half_of_many(box: CommandLine, sides: tuple[Path, Path]) -> None:
    here, there = sides
    for number in range(20):
        (here / f"{number:02}").touch()
    assert sync(box, sides)[0] == 0
    for number in range(12):
        (here / f"{number:02}").unlink()
    before = names(there)
    assert sync(box, sides, "--delete") == (
        3,
        [],
        [
            "Error: 12 of the 22 files of the last sync would be deleted: nothing was synced;"
            " --force-delete skips this check"
        ],
    )
    assert names(there) == before
    (here / "11").touch()  # eleven deletions are exactly half, which is allowed
    assert sync(box, sides, "--delete")[0] == 0
    assert names(there) == names(here)


def test_it_stops_watching(box: CommandLine, sides: tuple[Path, Path]) -> None:
    here, there = sides
    begun = box.begin(
        "sync", "--watch", "--delete", str(here), f"box:{there}", stdout=-1, stderr=-1
    )
    with ended(begun) as watching:
        assert watching.stdout is not None
        for _ in range(3):
            watching.stdout.readline()
        (there / "came").touch()
        assert watching.stdout.readline() == "pull came\n"
        emptied(there)
        _, said = watching.communicate(timeout=SECONDS)
    assert watching.returncode == 3
    assert said.startswith(f"Error: {there} is empty, ")
    assert names(here) == ["a", "came", "sub", "sub/b"]


def test_mass_deletions() -> None:
    known = {f"{number}": File("hash", False) for number in range(21)} | {"d": DIRECTORY}
    gone = [Change("delete remote", each) for each in known]
    refuse_mass_deletion(gone[:10], known)
    with pytest.raises(DeletionRefused, match="11 of the 21 files"):
        refuse_mass_deletion(gone[:11], known)
    mixed = [*gone[:6], *(change._replace(action="delete local") for change in gone[6:11])]
    with pytest.raises(DeletionRefused):
        refuse_mass_deletion(mixed, known)
    # A file that becomes a directory or a symlink counts as deleted; changed content does not.
    for what in (DIRECTORY, File("symlink x", False)):
        with pytest.raises(DeletionRefused):
            refuse_mass_deletion(
                [change._replace(action="push", file=what) for change in gone], known
            )
    refuse_mass_deletion(
        [change._replace(action="push", file=File("new", False)) for change in gone], known
    )
    refuse_mass_deletion([change._replace(action="conflict") for change in gone], known)
    del known["20"]
    refuse_mass_deletion(gone, known)  # of at most 20 files all may be deleted


def test_vanished_reason() -> None:
    side, known = Scan(), {"a": File("hash", False), "d": DIRECTORY}
    assert vanished_reason("/x", side, known, None) == "/x is gone"
    assert vanished_reason("/x", side, {}, None) == ""  # the first time
    side.exists, side.root = True, (1, 2)
    assert vanished_reason("/x", side, known, (1, 2)) == "/x is empty"
    side.files["new"] = File("hash", False)
    assert vanished_reason("/x", side, known, (1, 2)) == ""
    assert vanished_reason("/x", side, known, None) == ""  # the earlier root is unknown
    assert "another directory" in vanished_reason("/x", side, known, (1, 3))
    side.files["d"] = DIRECTORY
    assert vanished_reason("/x", side, known, (1, 3)) == ""


@pytest.mark.long
def test_other_contents_of_the_same_size_and_time(
    box: CommandLine, sides: tuple[Path, Path]
) -> None:
    """A file is replaced by ``mv`` or rewritten with the old time; found on both sides."""
    here, there = sides
    past = 10**18
    for name in ("1", "2", "3"):
        (here / name).write_text(name)
        os.utime(here / name, ns=(past, past))
    assert sync(box, sides)[0] == 0
    assert sync(box, sides) == (0, [], [])
    (here / "2").replace(here / "1")
    (there / "3").write_text("x")
    os.utime(there / "3", ns=(past, past))
    assert sync(box, sides, "--delete") == (0, ["delete remote 2", "pull 3", "push 1"], [])
    assert contents(here) == contents(there)
    assert ((there / "1").read_text(), (here / "3").read_text()) == ("2", "x")
    (there / "1").replace(there / "3")
    assert sync(box, sides, "--delete") == (0, ["delete local 1", "pull 3"], [])
    assert (here / "3").read_text() == "2"


def test_a_further_link_to_a_file_that_is_replaced(
    box: CommandLine, sides: tuple[Path, Path]
) -> None:
    """Replacing one hard link changes the ctime of the others; that is no change of the file."""
    here, there = sides
    for name in ("l1", "l2", "l3"):
        os.link(here / "a", here / name)
    assert sync(box, sides)[0] == 0
    for name in ("l1", "l2"):
        (there / name).write_text("new")
    (there / "l3").unlink()
    assert sync(box, sides, "--delete") == (0, ["delete local l3", "pull l1", "pull l2"], [])
    assert (here / "a").read_text() == "a"


@pytest.mark.long
def test_checksum_reads_all(box: CommandLine, sides: tuple[Path, Path]) -> None:
    """``--checksum`` reads files even if their stat data matches the manifest."""
    here, _ = sides
    assert sync(box, sides)[0] == 0
    manifest = manifest_of(box, sides)
    manifest.load()
    old = File(sha256("old"), False)
    manifest.common["a"] = old
    manifest.local_hashes["a"] = CachedHash(stat_local(str(here / "a")), old.hash)
    manifest.save()
    (sides[1] / "a").write_text("new")
    assert sync(box, sides, "--dry-run") == (0, ["pull a"], [])
    both = "Error: conflict: a: changed on both sides"
    assert sync(box, sides, "--checksum") == (3, [], [both])


def test_the_manifest_of_an_earlier_release(box: CommandLine, sides: tuple[Path, Path]) -> None:
    assert sync(box, sides)[0] == 0
    manifest = manifest_of(box, sides)
    found = json.loads(manifest.path.read_text())
    del found["roots"], found["modes"]
    for side in ("here", "there"):
        found[side] = {"a": [1, 10**18, found["common"]["a"][0]]}
    manifest.path.write_text(json.dumps(found))
    (sides[0] / "a").write_text("b")
    assert sync(box, sides) == (0, ["push a"], [])
