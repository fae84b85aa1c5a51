"""``shellwire sync`` and ``exec --with``: modes of directories and files, without privileges."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from shellwire.cli.files.manifest import DIRECTORY
from tests.cli.sync_pair import manifest_of, names, sync
from tests.unprivileged import Unprivileged, can_drop, unprivileged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.command_line import CommandLine


@pytest.fixture(scope="module")
def user() -> Iterator[Unprivileged]:
    if not can_drop():
        pytest.skip("root's privileges can't be dropped here")
    with unprivileged() as user:
        yield user


def modes(top: Path) -> dict[str, str]:
    """Return the modes of all directories in a tree."""
    return {
        os.path.relpath(path, top): oct(stat.S_IMODE(os.stat(path).st_mode))
        for path, _, _ in os.walk(top)
    }


def closed(top: Path, *paths: str) -> dict[str, str]:
    """Make a tree of directories without write permission, a file in each; return the modes."""
    for path in paths:
        (top / path).mkdir(parents=True)
        (top / path / "f").write_text(path)
    for path, _, _ in os.walk(top, topdown=False):
        os.chmod(path, 0o555)
    return modes(top)


@pytest.mark.long
def test_directories_without_write_permission(user: Unprivileged) -> None:
    """Read-only directories, as in Go's module cache, are synced both ways, also the root."""
    here, there, back = (user.top / name for name in ("here", "there", "back"))
    wanted = closed(here, "mod", "mod/deep/er", "other")
    assert len(wanted) == 5
    assert sync(user, (here, there))[0] == 0
    assert modes(there) == wanted
    assert names(there) == names(here)
    assert sync(user, (back, there))[0] == 0
    assert modes(back) == wanted
    assert sync(user, (here, there)) == sync(user, (back, there)) == (0, [], [])
    # A new file, a deleted file, and a deleted directory.
    for path in ("mod", "mod/deep"):
        os.chmod(back / path, 0o755)
    (back / "mod" / "new").write_text("n")
    (back / "mod" / "f").unlink()
    os.chmod(back / "mod" / "deep" / "er", 0o755)
    (back / "mod" / "deep" / "er" / "f").unlink()
    (back / "mod" / "deep" / "er").rmdir()
    for path in ("mod", "mod/deep"):
        os.chmod(back / path, 0o555)
    changes = ["delete remote mod/deep/er/f", "delete remote mod/f", "push mod/new"]
    assert sync(user, (back, there), "--delete") == (0, changes, [])
    changes = [each.replace("remote", "local").replace("push", "pull") for each in changes]
    assert sync(user, (here, there), "--delete") == (0, changes, [])
    del wanted["mod/deep/er"]
    assert modes(here) == modes(there) == wanted
    assert names(here) == names(there)


@pytest.mark.long
def test_modes_come_back_after_a_run_that_was_killed(user: Unprivileged) -> None:
    here, there = user.top / "killed", user.top / "killed-there"
    wanted = closed(here, "a", "b", "c")
    assert sync(user, (here, there))[0] == 0
    manifest = manifest_of(user, (here, there))
    manifest.load()
    assert manifest.common["a"] == DIRECTORY
    assert manifest.modes == {"here": {}, "there": {}}
    # The manifest of a run that was killed while directories were writable. Only b changed since.
    manifest.modes = {"here": {"a": 0o555}, "there": {"a": 0o555, "b": 0o555, "gone": 0o555}}
    manifest.save()
    os.chmod(here / "a", 0o755)
    os.chmod(there / "a", 0o755)
    os.chmod(there / "b", 0o750)
    assert sync(user, (here, there)) == (0, [], [])
    assert modes(here) == wanted
    assert modes(there) == {**wanted, "b": "0o750"}
    assert not (there / "gone").exists()


def test_modes_come_back_after_an_error(user: Unprivileged) -> None:
    here, there = user.top / "error", user.top / "error-there"
    wanted = closed(here, "a", "b")
    assert sync(user, (here, there))[0] == 0
    os.chmod(here / "a", 0o755)
    (here / "a" / "more").write_text("m")
    os.chmod(here / "a", 0o555)
    os.chmod(there / "b", 0o755)
    (there / "b" / "secret").write_text("s")
    (there / "b" / "secret").chmod(0)
    os.chmod(there / "b", 0o555)
    code, changes, (warned,) = sync(user, (here, there))
    assert (code, changes) == (1, ["push a/more"])
    assert "b/secret" in warned
    assert modes(here) == modes(there) == wanted


def test_exec_with_such_directories(user: Unprivileged) -> None:
    here = user.top / "src"
    wanted = closed(here, "mod", "mod/deep")
    command = "cat mod/deep/f; chmod u+w mod; echo x >mod/new; mkdir -m 555 mod/made; chmod 555 mod"
    words = ("exec", "-H", "box", "--with", str(here), "--clean", command)
    assert user.ok(*words) == "mod/deep"
    assert (here / "mod" / "new").read_text() == "x\n"
    assert modes(here) == {**wanted, "mod/made": "0o555"}
    assert os.listdir(user.top / ".cache" / "shellwire" / "with") == []


def test_of_modes_there_only_executability_is_taken(
    box: CommandLine, sides: tuple[Path, Path]
) -> None:
    here, there = sides
    assert sync(box, sides)[0] == 0
    (here / "a").chmod(0o640)
    given = {"setuid": 0o6755, "open": 0o666, "all": 0o777, "own": 0o600, "a": 0o4711}
    for name, mode in given.items():
        (there / name).write_text(f"new {name}")
        (there / name).chmod(mode)
    (there / "wide").mkdir()
    (there / "wide").chmod(0o3777)
    before = os.umask(0o022)
    try:
        assert sync(box, sides)[0] == 0
    finally:
        os.umask(before)
    found = {
        path.name: oct(stat.S_IMODE(path.stat().st_mode))
        for path in here.iterdir()
        if path.name != "sub"
    }
    assert found == {
        "setuid": "0o755",
        "open": "0o644",
        "all": "0o755",
        "own": "0o644",
        "a": "0o750",  # its own mode, made executable for its owner
        "wide": "0o755",
    }
    assert sync(box, sides) == (0, [], [])
