"""``shellwire sync`` killed, disconnected or run twice at once: no change is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shellwire.cli.files.local_scan import Stopped, scan_local
from shellwire.cli.files.manifest import DIRECTORY, File
from shellwire.cli.files.plan import is_within, plan_changes
from shellwire.home.hosts import Host, save_host
from tests.cli.command_line import PROGRAM, SECONDS, CommandLine, ended
from tests.cli.sync_pair import contents, manifest_of, names, sha256, sync
from tests.faults.proxy import Proxy

if TYPE_CHECKING:
    from tests.live import Daemon


def test_one_after_the_other(box: CommandLine, sides: tuple[Path, Path]) -> None:
    here, there = sides
    with contextlib.ExitStack() as stack:
        with manifest_of(box, sides).lock() as take:
            assert take()
            assert sync(box, sides, "--dry-run")[0] == 0  # changes nothing, so it waits for no lock
            pending = box.begin("sync", str(here), f"box:{there}", stdout=DEVNULL, stderr=PIPE)
            second = stack.enter_context(ended(pending))
            assert second.stderr is not None
            warning = f"Warning: {here}: waiting for another sync of it to end\n"
            assert second.stderr.readline() == warning
            assert not there.exists()
        assert second.wait(SECONDS) == 0
    assert contents(there) == contents(here)


def test_killed_in_between(box: CommandLine, sides: tuple[Path, Path]) -> None:
    """Changes that a killed sync had made don't count as changes of the other side."""
    here, there = sides
    sync(box, sides)
    manifest = manifest_of(box, sides)
    manifest.load()
    manifest.pending = {  # as saved before the changes are made
        "a": (False, File(sha256("pushed"), False)),
        "new": (False, File(sha256("new"), False)),
        "pulled": (True, File(sha256("pulled"), False)),
        "sub/b": (False, None),
    }
    manifest.save()
    (there / "a").write_text("pushed")
    (here / "a").write_text("and changed again")
    (there / "sub" / "b").unlink()
    (here / "sub" / "b").write_text("came again")
    (here / "pulled").write_text("pulled")
    (there / "pulled").write_text("pulled, and changed again")
    (here / "new").write_text("new, and changed again")  # the killed sync had not pushed it
    unfinished = here / f".pulled.{'0' * 16}.part"
    unfinished.touch()
    made = ["pull pulled", "push a", "push new", "push sub/b"]
    assert sync(box, sides, "--delete") == (0, made, [])
    assert contents(here) == contents(there)
    assert not unfinished.exists()
    manifest.load()
    assert manifest.pending == {}


@pytest.mark.long
def test_killed_after_removing_the_old_kind(box: CommandLine, sides: tuple[Path, Path]) -> None:
    """A change of kind removes the old file first; its absence is no change of the other side."""
    here, there = sides
    sync(box, sides)
    manifest = manifest_of(box, sides)
    manifest.load()
    for side in sides:
        (side / "a").unlink()
    (here / "a").mkdir()
    assert sync(box, sides)[0] == 3
    manifest.pending = {"a": (False, DIRECTORY)}
    manifest.save()
    assert sync(box, sides) == (0, ["push a"], [])
    assert (there / "a").is_dir()


def test_temporary_files_of_others_are_not_synced(
    box: CommandLine, sides: tuple[Path, Path]
) -> None:
    for side in sides:  # temporary files of an archive and an upload in progress
        (side / f".shellwire-{'0' * 16}" / "half").mkdir(parents=True)
        (side / f".shellwire-{'1' * 16}").touch()
    (sides[1] / f".shellwire-{'2' * 16}").mkdir()
    before = names(sides[0])
    assert sync(box, sides, "--delete") == (0, ["push a", "push sub/b"], [])
    assert names(sides[0]) == before


@pytest.mark.long
def test_contents_of_the_same_size_and_time(box: CommandLine, sides: tuple[Path, Path]) -> None:
    for side, text in zip(sides, "ab", strict=True):
        side.mkdir(exist_ok=True)
        (side / "a").write_text(text)
        os.utime(side / "a", (10**9, 10**9))
    assert sync(box, sides)[0] == 3
    manifest = manifest_of(box, sides)
    manifest.load()
    manifest.common["a"] = File(sha256("a"), False)
    manifest.save()
    assert sync(box, sides) == (0, ["pull a"], [])
    assert sync(box, sides) == (0, [], [])


def test_nothing_goes_through_a_symlink(box: CommandLine, sides: tuple[Path, Path]) -> None:
    here, there = sides
    (here / "other").mkdir()
    sync(box, sides)
    shutil.rmtree(there / "sub")
    (there / "sub").symlink_to("other")
    (here / "sub" / "new").write_text("n")
    (here / "sub" / "more").mkdir()
    code, made, warned = sync(box, sides, "--delete")
    assert (code, made) == (1, ["delete local sub/b"])
    assert warned == [
        "Error: sub/more: " + (why := f"{there}/sub: a symlink is in the way"),
        f"Error: sub/new: {why}",
        "Error: sub: directory not empty",
    ]
    assert names(there / "other") == []


def test_unreadable_files(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        root.chmod(0o755)
        for name in ("closed", "open"):
            (root / name).mkdir()
            (root / name / "f").write_text(name)
        (root / "secret").write_text("s")
        (root / "secret").chmod(0)
        (root / "closed").chmod(0)
        (root / "listed").mkdir()
        (root / "listed" / "link").symlink_to("f")
        (root / "listed").chmod(0o444)
        was = os.geteuid()
        os.seteuid(was or 65534)  # root could read everything
        try:
            scan = scan_local(directory, {}, lambda: False)
        finally:
            os.seteuid(was)
        (root / "closed").chmod(0o700)
        (root / "listed").chmod(0o700)
    assert scan.failed == dict.fromkeys(("closed", "listed/link", "secret"), "permission denied")
    assert scan.files == {
        "listed": DIRECTORY,
        "open": DIRECTORY,
        "open/f": File(sha256("open"), False),
    }
    # Files below an unreadable directory are not deleted.
    common = {**scan.files, "closed": DIRECTORY, "closed/f": File(sha256("closed"), False)}
    common["listed/link"] = File("symlink f", False)
    assert plan_changes(common, scan.files, common, delete=True, excluded=scan.failed) == []


def test_a_file_that_changes_all_the_time(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    with (tmp_path / "log").open("a") as log:

        def grow() -> bool:
            log.write("more\n")
            log.flush()
            return False

        scan = scan_local(str(tmp_path), {}, grow)
    assert scan.failed == {"log": "it changes while it is read"}
    with pytest.raises(Stopped):
        scan_local(str(tmp_path), {}, lambda: True)


@pytest.mark.long
def test_a_missing_side_deletes_nothing(
    box: CommandLine, sides: tuple[Path, Path], tmp_path: Path
) -> None:
    here, there = sides
    sync(box, sides)
    there.rename(tmp_path / "elsewhere")
    code, _, (warned,) = sync(box, sides, "--delete")
    assert code == 3
    assert warned.startswith(f"Error: {there} is gone, but was synced before: nothing was synced;")
    assert sync(box, sides)[0] == 1
    (tmp_path / "elsewhere").rename(there)
    here.rename(tmp_path / "moved")
    code, _, (warned,) = sync(box, sides, "--delete")
    assert code == 3
    assert contents(there)
    Path(warned.partition("remove ")[2].partition(";")[0]).unlink()
    assert sync(box, sides) == (0, [f"create local {here}", "pull a", "pull sub/b"], [])


def test_watch(box: CommandLine, sides: tuple[Path, Path]) -> None:
    here, there = sides
    pending = box.begin("sync", "--watch", str(here), f"box:{there}", stdout=-1)
    with ended(pending) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline() == f"create remote {there}\n"
        seen = [watching.stdout.readline(), watching.stdout.readline()]
        assert sorted(seen) == ["push a\n", "push sub/b\n"]
        (there / "c").write_text("c")
        assert watching.stdout.readline() == "pull c\n"
        (here / "a").write_text("more")
        assert watching.stdout.readline() == "push a\n"
        watching.send_signal(2)
        assert watching.wait(SECONDS) == 130
    assert contents(here) == contents(there)


async def test_watch_reports_lost_and_restored_connections(
    daemon: Daemon, sides: tuple[Path, Path], tmp_path: Path
) -> None:
    here, there = sides
    cli = CommandLine(tmp_path / "home")
    async with Proxy(daemon.url) as proxy:
        save_host(cli.home, "far", Host(proxy.url, daemon.token))
        process = await asyncio.create_subprocess_exec(
            *(*PROGRAM, "sync", "--watch", str(here), f"far:{there}"),
            env=cli.environment,
            stdout=PIPE,
            stderr=PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            while await process.stdout.readline() != b"push sub/b\n":
                pass
            target, proxy.target = proxy.target, "ws://127.0.0.1:1"
            proxy.cut("rst")
            assert (await process.stderr.readline()).endswith(b"; reconnecting\n")
            (here / "new").touch()
            proxy.target = target
            assert await process.stderr.readline() == b"shellwire: reconnected\n"
            while await process.stdout.readline() != b"push new\n":
                pass
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 130
            assert await process.stderr.read() == b""
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


files = st.dictionaries(
    st.sampled_from(["a", "b", "c", "c/d", "c/d/e", "c/f"]),
    st.builds(File, st.sampled_from(["1", "2", "symlink a"]), st.booleans()) | st.just(DIRECTORY),
    max_size=6,
)


@given(files, files, files, st.booleans())
def test_no_change_is_lost(
    common: dict[str, File], here: dict[str, File], there: dict[str, File], delete: bool
) -> None:
    changes = {
        change.path: change.action for change in plan_changes(common, here, there, delete=delete)
    }
    conflicts = {path for path, action in changes.items() if action == "conflict"}
    for path in {*common, *here, *there}:
        before, ours, theirs = common.get(path), here.get(path), there.get(path)
        action = changes.get(path)
        if is_within(path, conflicts - {path}):
            assert action is None
        elif ours != before and theirs != before:
            assert action == (None if ours == theirs else "conflict")
        elif ours == theirs:
            assert action is None
        elif ours is None or (theirs is None and before is not None):
            gone, side = ("delete remote", there) if ours is None else ("delete local", here)
            below = [each for each in side if each.startswith(f"{path}/")]
            kept = any(changes.get(each) != gone for each in below)
            assert action == ("pull" if before is None else gone if delete and not kept else None)
        else:
            side, old, new = (there, theirs, ours) if ours != before else (here, ours, theirs)
            full = any(each.startswith(f"{path}/") for each in side)
            loses = old is not None and new is not None and old.kind != new.kind
            loses = loses and (full or old != DIRECTORY)
            taken = "push" if ours != before else "pull"
            assert action == ("conflict" if loses and not delete else taken)
