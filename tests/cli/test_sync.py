"""``shellwire sync``: changes go to the other side, and what changed on both is named."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import signal
import stat
import tempfile
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shellwire.cli.files.manifest import DIRECTORY, File, Manifest, blocked, decided, symlink
from shellwire.cli.files.scan import Stopped, scan_here
from shellwire.cli.files.sync import sync_command
from shellwire.home.hosts import Host, load_hosts, save_host
from tests.cli.command_line import PROGRAM, SECONDS, CommandLine, ended
from tests.faults.proxy import Proxy

if TYPE_CHECKING:
    from tests.live import Daemon


@pytest.fixture
def box(daemon: Daemon, tmp_path: Path) -> CommandLine:
    """Return a command line that knows the shared daemon as ``box``."""
    box = CommandLine(tmp_path / "away")
    save_host(box.home, "box", Host(f"{daemon.url}/ws", daemon.token))
    return box


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    """Return a directory here and one there, with the same two files in them before a sync."""
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "sub").mkdir(parents=True)
    (here / "a").write_text("a")
    (here / "sub" / "b").write_text("b")
    (here / "sub" / "b").chmod(0o755)
    return here, there


def sync(
    box: CommandLine, sides: tuple[Path, Path], *flags: str
) -> tuple[int, list[str], list[str]]:
    """Sync; return the exit code, and what was said and warned of, sorted."""
    here, there = sides
    done = box("sync", *flags, str(here), f"box:{there}")
    return done.returncode, sorted(done.stdout.splitlines()), sorted(done.stderr.splitlines())


def names(directory: Path) -> list[str]:
    """Return what is in a directory."""
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def links_in(directory: Path) -> dict[str, str]:
    """Return what the symlinks in a directory say."""
    return {
        str(path.relative_to(directory)): os.readlink(path)
        for path in directory.rglob("*")
        if path.is_symlink()
    }


def sha256(text: str) -> str:
    """Return the hash as a manifest has it."""
    return hashlib.sha256(text.encode()).hexdigest()


def manifest_of(box: CommandLine, sides: tuple[Path, Path]) -> Manifest:
    """Return the manifest of a sync of these two."""
    here, there = sides
    return Manifest(box.home, str(here), load_hosts(box.home)["box"].url, str(there))


def contents(directory: Path) -> dict[str, tuple[str, int]]:
    """Return what is in the files of a directory, and whether they can be executed."""
    return {
        str(path.relative_to(directory)): (path.read_text(), path.stat().st_mode & stat.S_IXUSR)
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_changes_go_to_the_other_side(box: CommandLine, sides: tuple[Path, Path]) -> None:
    here, there = sides
    planned = sync(box, sides, "--dry-run")
    assert planned == (0, [f"make there {there}", "push a", "push sub/b"], [])
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
    said = ["delete here a", "delete there sub/b"]
    assert sync(box, sides, "--delete", "--dry-run") == (0, said, [])
    assert (there / "sub" / "b").exists()
    assert sync(box, sides, "--delete") == (0, said, [])
    assert names(here) == names(there) == ["sub"]


def test_directories(box: CommandLine, sides: tuple[Path, Path]) -> None:
    here, there = sides
    (here / "empty").mkdir()
    (here / "deep" / "er").mkdir(parents=True)
    told = [f"make there {there}", "push a", "push deep/er", "push empty", "push sub/b"]
    assert sync(box, sides, "--dry-run") == (0, told, [])
    assert sync(box, sides) == (0, told, [])
    assert names(there) == names(here)
    shutil.rmtree(here / "deep")
    shutil.rmtree(here / "sub")
    (there / "deep" / "er" / "new").write_text("new")  # which keeps these two
    (there / "a").unlink()
    (there / "a").mkdir()
    (here / "empty").rmdir()
    (here / "empty").write_text("a file now")
    told = ["delete there sub/b", "pull a", "pull deep/er/new", "push empty"]
    assert sync(box, sides, "--delete") == (0, told, [])
    assert names(there) == names(here) == ["a", "deep", "deep/er", "deep/er/new", "empty"]
    assert sync(box, sides, "--delete") == (0, [], [])
    (here / "empty").unlink()
    (there / "empty").unlink()
    (here / "empty").mkdir()
    (here / "empty" / "f").touch()
    (there / "empty").write_text("another")
    code, told, warned = sync(box, sides)
    assert (code, told) == (3, [])
    assert warned == ["Error: conflict: empty: a directory here, a file there"]


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
            "Error: conflict: c: a directory here, a file there",
            "Error: conflict: d: a file here, a symlink there",
            "Error: conflict: full: a directory here, a file there",
            "Error: conflict: link: a file here, a symlink there",
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


def test_symlinks(box: CommandLine, sides: tuple[Path, Path]) -> None:
    here, there = sides
    links = {"sub/up": "../a", "dir": "sub", "broken": "./no\udcff", "sub/self": "self"}
    for name, target in links.items():
        (here / name).symlink_to(target)
    (here / "out").symlink_to("../here/a")
    told = [f"push {name}" for name in ("a", "broken", "dir", "sub/b", "sub/self", "sub/up")]
    told.insert(0, f"make there {there}")
    warned = ["Error: out: a symlink that leads out, and not synced"]
    assert sync(box, sides) == (0, told, warned)
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
    told = ["delete there broken", "pull dir", "pull made", "pull sub/up", "push a"]
    assert sync(box, sides, "--delete") == (0, told, warned)
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
def test_what_stays_in_the_tree(path: str, target: str, stays: bool) -> None:
    found = symlink(path, target)
    assert (found is not None) == stays
    assert found is None or (found.target, found.kind) == (target, "symlink")


def test_directories_that_are_not_there(box: CommandLine, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    assert "there is neither" in box.refused("sync", str(here), f"box:{there}")
    here.mkdir()
    assert box.ok("sync", "--dry-run", str(here), f"box:{there}") == f"make there {there}\n"
    assert not there.exists()
    assert box.ok("sync", str(here), f"box:{there}") == f"make there {there}\n"
    assert there.is_dir()
    here.rmdir()
    assert box.ok("sync", f"box:{there}", str(here)) == f"make here {here}\n"
    assert here.is_dir()


def test_one_after_the_other(box: CommandLine, sides: tuple[Path, Path]) -> None:
    here, there = sides
    with contextlib.ExitStack() as stack:
        with manifest_of(box, sides).lock() as take:
            assert take()
            assert sync(box, sides, "--dry-run")[0] == 0  # changes nothing, and waits for nobody
            begun = box.begin("sync", str(here), f"box:{there}", stdout=DEVNULL, stderr=PIPE)
            second = stack.enter_context(ended(begun))
            assert second.stderr is not None
            told = f"Error: {here}: another sync of it is at work; waiting for its end\n"
            assert second.stderr.readline() == told
            assert not there.exists()
        assert second.wait(SECONDS) == 0
    assert contents(there) == contents(here)


def test_killed_in_between(box: CommandLine, sides: tuple[Path, Path]) -> None:
    """What it had done is no change of theirs: none of it is in the way of what follows here."""
    here, there = sides
    sync(box, sides)
    manifest = manifest_of(box, sides)
    manifest.load()
    manifest.begun = {  # so it is while it works
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
    (here / "new").write_text("new, and changed again")  # which was not pushed
    unfinished = here / f".pulled.{'0' * 16}.part"
    unfinished.touch()
    told = ["pull pulled", "push a", "push new", "push sub/b"]
    assert sync(box, sides, "--delete") == (0, told, [])
    assert contents(here) == contents(there)
    assert not unfinished.exists()
    manifest.load()
    assert manifest.begun == {}


def test_killed_before_the_new_one_came(box: CommandLine, sides: tuple[Path, Path]) -> None:
    """What is of another kind is removed first: that it is gone is no change of theirs either."""
    here, there = sides
    sync(box, sides)
    manifest = manifest_of(box, sides)
    manifest.load()
    for side in sides:
        (side / "a").unlink()
    (here / "a").mkdir()
    assert sync(box, sides)[0] == 3
    manifest.begun = {"a": (False, DIRECTORY)}
    manifest.save()
    assert sync(box, sides) == (0, ["push a"], [])
    assert (there / "a").is_dir()


def test_what_others_are_at_work_on(box: CommandLine, sides: tuple[Path, Path]) -> None:
    for side in sides:  # as a daemon has it while it takes an archive and a large file
        (side / f".shellwire-{'0' * 16}" / "half").mkdir(parents=True)
        (side / f".shellwire-{'1' * 16}").touch()
    (sides[1] / f".shellwire-{'2' * 16}").mkdir()
    before = names(sides[0])
    assert sync(box, sides, "--delete") == (0, ["push a", "push sub/b"], [])
    assert names(sides[0]) == before


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
    code, told, warned = sync(box, sides, "--delete")
    assert (code, told) == (1, ["delete here sub/b"])
    assert warned == [
        "Error: sub/more: " + (why := f"{there}/sub: a symlink is in the way"),
        f"Error: sub/new: {why}",
        "Error: sub: directory not empty",
    ]
    assert names(there / "other") == []


def test_what_can_not_be_read(tmp_path: Path) -> None:
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
        os.seteuid(was or 65534)  # root could read all of it
        try:
            scan = scan_here(directory, {}, lambda: False)
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
    # What was not seen is not deleted.
    common = {**scan.files, "closed": DIRECTORY, "closed/f": File(sha256("closed"), False)}
    common["listed/link"] = File("symlink f", False)
    assert decided(common, scan.files, common, delete=True, apart=scan.failed) == []


def test_a_file_that_never_stands_still(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    with (tmp_path / "log").open("a") as log:

        def grow() -> bool:
            log.write("more\n")
            log.flush()
            return False

        scan = scan_here(str(tmp_path), {}, grow)
    assert scan.failed == {"log": "it changes while it is read"}
    with pytest.raises(Stopped):
        scan_here(str(tmp_path), {}, lambda: True)


def test_what_changed_on_both_sides(box: CommandLine, sides: tuple[Path, Path]) -> None:
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
        "Error: conflict: a: changed here, deleted there",
        "Error: conflict: sub/b: deleted here, changed there",
    ]
    assert (here / "a").read_text() == "mine"
    assert (there / "sub" / "b").read_text() == "theirs"


def test_what_is_no_file_is_told_and_left(
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
        "Error: fifo: neither file nor directory, and not synced",
        "Error: in: a symlink that leads out, and not synced",
        "Error: link: a symlink that leads out, and not synced",
    ]
    assert sync(box, sides) == (0, ["push a", "push sub/b"], warned)
    assert list(outside.iterdir()) == []
    assert (here / "link").is_symlink()


def test_a_side_that_is_gone_takes_nothing_with_it(
    box: CommandLine, sides: tuple[Path, Path], tmp_path: Path
) -> None:
    here, there = sides
    sync(box, sides)
    there.rename(tmp_path / "elsewhere")
    code, _, (warned,) = sync(box, sides, "--delete")
    assert code == 1
    assert warned.startswith(f"Error: {there} is gone, which was synced before: nothing is done;")
    (tmp_path / "elsewhere").rename(there)
    here.rename(tmp_path / "moved")
    code, _, (warned,) = sync(box, sides, "--delete")
    assert code == 1
    assert contents(there)
    Path(warned.rpartition(" ")[2]).unlink()
    assert sync(box, sides) == (0, [f"make here {here}", "pull a", "pull sub/b"], [])


def test_it_watches(box: CommandLine, sides: tuple[Path, Path]) -> None:
    here, there = sides
    begun = box.begin("sync", "--watch", str(here), f"box:{there}", stdout=-1)
    with ended(begun) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline() == f"make there {there}\n"
        seen = [watching.stdout.readline(), watching.stdout.readline()]
        assert sorted(seen) == ["push a\n", "push sub/b\n"]
        (there / "c").write_text("c")
        assert watching.stdout.readline() == "pull c\n"
        (here / "a").write_text("more")
        assert watching.stdout.readline() == "push a\n"
        watching.send_signal(2)
        assert watching.wait(SECONDS) == 130
    assert contents(here) == contents(there)


async def test_it_says_when_the_daemon_is_gone_and_back(
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
            assert (await process.stderr.readline()).endswith(b"; trying again\n")
            (here / "new").touch()
            proxy.target = target
            assert await process.stderr.readline() == b"shellwire: connected again\n"
            while await process.stdout.readline() != b"push new\n":
                pass
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 130
            assert await process.stderr.read() == b""
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


def test_usage(box: CommandLine, tmp_path: Path) -> None:
    for words in (["a", "b"], ["box:a", ":b"], ["a"]):
        with pytest.raises(click.UsageError):
            sync_command.main(words, standalone_mode=False)
    (tmp_path / "f").touch()
    assert "is not a directory" in box.refused("sync", f"{tmp_path}/f", f"box:{tmp_path}/d")
    assert "is not a directory" in box.refused("sync", f"{tmp_path}/d", f"box:{tmp_path}/f")


files = st.dictionaries(
    st.sampled_from(["a", "b", "c", "c/d", "c/d/e", "c/f"]),
    st.builds(File, st.sampled_from(["1", "2", "symlink a"]), st.booleans()) | st.just(DIRECTORY),
    max_size=6,
)


@given(files, files, files, st.booleans())
def test_nothing_that_changed_is_lost(
    common: dict[str, File], here: dict[str, File], there: dict[str, File], delete: bool
) -> None:
    acts = {act.path: act.what for act in decided(common, here, there, delete=delete)}
    conflicts = {path for path, what in acts.items() if what == "conflict"}
    for path in {*common, *here, *there}:
        before, ours, theirs = common.get(path), here.get(path), there.get(path)
        what = acts.get(path)
        if blocked(path, conflicts - {path}):
            assert what is None
        elif ours != before and theirs != before:
            assert what == (None if ours == theirs else "conflict")
        elif ours == theirs:
            assert what is None
        elif ours is None or (theirs is None and before is not None):
            gone, side = ("delete there", there) if ours is None else ("delete here", here)
            below = [each for each in side if each.startswith(f"{path}/")]
            kept = any(acts.get(each) != gone for each in below)
            assert what == ("pull" if before is None else gone if delete and not kept else None)
        else:
            side, old, new = (there, theirs, ours) if ours != before else (here, ours, theirs)
            full = any(each.startswith(f"{path}/") for each in side)
            loses = old is not None and new is not None and old.kind != new.kind
            loses = loses and (full or old != DIRECTORY)
            taken = "push" if ours != before else "pull"
            assert what == ("conflict" if loses and not delete else taken)


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


def test_a_directory_is_not_synced_with_one_in_it(
    box: CommandLine, sides: tuple[Path, Path]
) -> None:
    here, _ = sides
    (here / "alias").symlink_to(here)
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
    assert sync(box, (here, alias), "--delete") == (0, ["delete here a"], [])
