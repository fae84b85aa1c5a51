"""`sync` of symlinks and special files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from shellwire.cli.files.manifest import symlink
from tests.cli.sync_pair import links_in, sync

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.command_line import CommandLine


@pytest.mark.long
def test_symlinks(box: CommandLine, sides: tuple[Path, Path]) -> None:
    here, there = sides
    links = {"sub/up": "../a", "dir": "sub", "broken": "./no\udcff", "sub/self": "self"}
    for name, target in links.items():
        (here / name).symlink_to(target)
    (here / "out").symlink_to("../here/a")
    changes = [f"push {name}" for name in ("a", "broken", "dir", "sub/b", "sub/self", "sub/up")]
    changes.insert(0, f"create remote {there}")
    warned = ["Warning: out: a symlink that leads out, and not synced"]
    assert sync(box, sides) == (0, changes, warned)
    assert {name: os.readlink(there / name) for name in links} == links
    assert sync(box, sides, "--delete") == (0, [], warned)
    (there / "dir").unlink()
    (there / "dir").symlink_to("sub/.")
    (there / "made").symlink_to("a")
    (there / "sub" / "up").unlink()
    (there / "sub" / "up").write_text("a file now")
    (here / "broken").unlink()
    (here / "a").unlink()
    (here / "a").symlink_to("sub/b")
    changes = ["delete remote broken", "pull dir", "pull made", "pull sub/up", "push a"]
    assert sync(box, sides, "--delete") == (0, changes, warned)
    (here / "out").unlink()
    assert sync(box, sides, "--delete") == (0, [], [])
    assert links_in(here) == links_in(there)
    assert links_in(here) == {"a": "sub/b", "dir": "sub/.", "made": "a", "sub/self": "self"}
    for side, target in ((here, "sub"), (there, "a")):
        (side / "dir").unlink()
        (side / "dir").symlink_to(target)
    both = ["Error: conflict: dir: changed on both sides"]
    assert sync(box, sides, "--delete") == (3, [], both)


@pytest.mark.parametrize(
    ("path", "target", "stays"),
    [
        ("a", "b", True),
        ("a", ".", True),
        ("a/b/c", "../../d", True),
        ("a/b", "../..", False),
        ("a", "..", False),
        ("a", "/b", False),
        ("a", "", False),
        ("a/b", "c/../d", False),  # c may be a symlink itself
    ],
)
def test_which_symlinks_stay_in_the_tree(path: str, target: str, stays: bool) -> None:
    found = symlink(path, target)
    assert (found is not None) == stays
    assert found is None or (found.target, found.kind) == (target, "symlink")


def test_special_files_are_reported_and_skipped(
    box: CommandLine, sides: tuple[Path, Path], tmp_path: Path
) -> None:
    here, there = sides
    outside = tmp_path / "outside"
    outside.mkdir()
    (there / "in").mkdir(parents=True)
    (there / "in" / "f").write_text("f")
    (there / "link").write_text("l")
    (here / "in").symlink_to(outside)
    (here / "link").symlink_to(outside / "made")
    os.mkfifo(there / "fifo")
    warned = [
        "Warning: fifo: neither file nor directory, and not synced",
        "Warning: in: a symlink that leads out, and not synced",
        "Warning: link: a symlink that leads out, and not synced",
    ]
    assert sync(box, sides) == (0, ["push a", "push sub/b"], warned)
    assert list(outside.iterdir()) == []
    assert (here / "link").is_symlink()
