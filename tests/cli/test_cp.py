"""``shellwire cp``: it behaves like scp, on real files and a real terminal."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from shellwire.cli.files.location import Location, parse_location
from shellwire.home.hosts import Host, save_host

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.command_line import CommandLine
    from tests.live import Daemon

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a directory tree with typical files, modes, times and a symlink."""
    tree = tmp_path / "tree"
    (tree / "sub" / "deep").mkdir(parents=True)
    (tree / "empty").mkdir(mode=0o700)
    (tree / "a").write_text("a")
    (tree / "sub" / "run").write_text("#!/bin/sh\n")
    (tree / "sub" / "run").chmod(0o755)
    (tree / "sub" / "deep" / ".hidden é").write_bytes(os.urandom(2_000_000))
    (tree / "link").symlink_to("a")
    os.utime(tree / "a", ns=(1, 1_234_567_890_123_456_789))
    # An archive stores times as decimal fractions.
    for path in (tree / "sub" / "deep", tree / "sub", tree / "empty", tree):
        os.utime(path, ns=(1, 1_234_567_890_500_000_000))
    return tree


def shape(directory: Path, *, times: bool = False) -> dict[str, tuple[object, ...]]:
    """Return mode and content of everything below a directory, and with ``times`` its mtime."""
    return {
        str(path.relative_to(directory)): (
            oct(stat.S_IMODE(path.stat().st_mode)),
            path.read_bytes() if path.is_file() else None,
            path.stat().st_mtime_ns if times else None,
        )
        for path in (directory, *directory.rglob("*"))
    }


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("a", (None, "a")),
        ("box:a", ("box", "a")),
        ("box:", ("box", "~")),
        (":/a:b", ("", "/a:b")),
        ("./a:b", (None, "./a:b")),
        ("/a:b", (None, "/a:b")),
    ],
)
def test_local_and_remote_paths(word: str, meant: tuple[str | None, str]) -> None:
    assert parse_location(word) == Location(*meant)


@pytest.mark.parametrize("flags", ["", "-pz"])
def test_a_tree_there_and_back(box: CommandLine, tree: Path, tmp_path: Path, flags: str) -> None:
    words = ["cp", "-r", *([flags] if flags else [])]
    assert box.ok(*words, str(tree), f"box:{tmp_path}/there") == ""
    assert box.ok(*words, f"box:{tmp_path}/there", f"{tmp_path}/back") == ""
    wanted = shape(tree, times=bool(flags))
    assert shape(tmp_path / "there", times=bool(flags)) == wanted
    assert shape(tmp_path / "back", times=bool(flags)) == wanted
    assert not (tmp_path / "there" / "link").is_symlink()


@pytest.mark.long
def test_into_an_existing_directory(box: CommandLine, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "here").mkdir()
    box.ok("cp", f"{tree}/a", f"{tree}/sub/run", f"box:{tmp_path}/there")
    box.ok("cp", "-r", f"{tree}/", f"box:{tmp_path}/there/")
    box.ok("cp", "-r", f"{tree}/sub/.", f"box:{tmp_path}/there")
    assert sorted(os.listdir(tmp_path / "there")) == ["a", "deep", "run", "tree"]
    assert shape(tmp_path / "there" / "tree") == shape(tree)
    box.ok("cp", "-r", f"box:{tmp_path}/there/*", f"{tmp_path}/here")
    assert shape(tmp_path / "here") == shape(tmp_path / "there")
    box.ok("cp", f"box:{tree}/sub/run", f"{tmp_path}/here/a")
    assert (tmp_path / "here" / "a").read_text() == "#!/bin/sh\n"


def test_the_default_daemon_and_its_home(here: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    there = os.path.relpath(tmp_path / "g", os.path.realpath(os.path.expanduser("~")))
    if there.startswith(".."):
        there = str(tmp_path / "g")
    here.ok("cp", f"{tmp_path}/f", f":{there}")
    assert (tmp_path / "g").read_text() == "x"


@pytest.mark.long
def test_failures_are_reported_and_the_rest_is_copied(
    box: CommandLine, tree: Path, tmp_path: Path
) -> None:
    os.mkfifo(tree / "fifo")
    (tree / "broken").symlink_to("nothing")
    (tree / "loop").symlink_to(".")
    target = tmp_path / "there"
    done = box("cp", "-r", str(tree), f"{tmp_path}/no", f"box:{target}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: box:{target}: there is no directory {target}\n"
    target.mkdir()
    for source, goal in ((str(tree), f"box:{target}"), (f"box:{tree}", f"{target}")):
        done = box("cp", "-r", source, f"{source}-no", goal)
        errors = sorted(done.stderr.splitlines())
        assert done.returncode == 1
        assert len(errors) == 4, errors
        assert f"Error: {source}-no: there is no such file or directory" in errors
        assert f"Error: {source}/loop: leads to a directory that contains it" in errors
        assert f"Error: {source}/fifo: not a regular file" in errors
        assert any(f"Error: {source}/broken: " in each for each in errors)
        assert (target / "tree" / "sub" / "run").exists()
        assert not (target / "tree" / "fifo").exists()
    assert "is a directory (-r copies it)" in box.refused("cp", str(tree), f"box:{target}")
    assert "is not a directory" in box.refused("cp", f"{tree}/a", f"box:{target}/tree/a/")
    assert "is not a directory" in box.refused("cp", f"{tree}/a/", f"box:{target}/b")


@pytest.mark.long
def test_between_two_remote_paths(
    box: CommandLine, own_daemon: Callable[..., Daemon], tree: Path, tmp_path: Path
) -> None:
    other = own_daemon()
    save_host(box.home, "other", Host(f"{other.url}/ws", other.token))
    there, more = tmp_path / "there", tmp_path / "more"
    box.ok("cp", "-rpz", f"box:{tree}", f"other:{there}")
    assert shape(there, times=True) == shape(tree, times=True)
    box.ok("cp", "-r", f"box:{tree}/sub", f"{tree}/a", f"other:{there}/sub/run", f"box:{there}/sub")
    assert sorted(os.listdir(there / "sub")) == ["a", "deep", "run", "sub"]
    assert shape(there / "sub" / "sub") == shape(tree / "sub")
    # Within one daemon: also a directory into itself, and a file onto itself.
    box.ok("cp", "-r", f"box:{tree}", f"box:{more}")
    box.ok("cp", "-r", f"box:{more}", f"box:{more}/sub/..")
    box.ok("cp", f"box:{more}/a", f"box:{more}/a")
    assert shape(more / "more") == shape(tree)
    os.mkfifo(tree / "fifo")
    words = ("cp", f"box:{tree}/fifo", f"box:{tree}/no", f"box:{tree}/a", f"other:{there}/empty")
    done = box(*words)
    assert done.returncode == 1
    assert sorted(done.stderr.splitlines()) == [
        f"Error: box:{tree}/fifo: not a regular file",
        f"Error: box:{tree}/no: there is no such file or directory",
    ]
    assert os.listdir(there / "empty") == ["a"]


def test_symlinks_are_followed(box: CommandLine, tree: Path, tmp_path: Path) -> None:
    (tree / "sub" / "again").symlink_to("deep")
    (tree / "empty" / "out").symlink_to(tree / "sub")
    (tree / "sub" / "up").symlink_to("../empty")  # a cycle: empty/out points to sub
    for number, source in enumerate((str(tree), f"box:{tree}")):
        target = tmp_path / f"there-{number}"
        done = box("cp", "-r", source, str(target) if number else f"box:{target}")
        assert done.returncode == 1
        assert sorted(done.stderr.splitlines()) == [
            f"Error: {source}/empty/out/up: leads to a directory that contains it",
            f"Error: {source}/sub/up/out: leads to a directory that contains it",
        ]
        assert not any(each.is_symlink() for each in target.rglob("*"))
        assert shape(target / "sub" / "again") == shape(tree / "sub" / "deep")
        assert (target / "empty" / "out" / "run").exists()
        assert (target / "sub" / "up").is_dir()


def test_a_symlink_to_an_ancestor(box: CommandLine, tree: Path, tmp_path: Path) -> None:
    source = tree / "sub"
    links = {"up": "..", "root": "/", "deep/far": str(tmp_path), "deep/self": str(source)}
    for name, leads_to in links.items():
        (source / name).symlink_to(leads_to)
    (tree / "beside").mkdir()
    (source / "beside").symlink_to("../beside")
    for number, word in enumerate((str(source), f"box:{source}")):
        target = tmp_path / f"there-{number}"
        done = box("cp", "-r", word, str(target) if number else f"box:{target}")
        assert done.returncode == 1
        assert sorted(done.stderr.splitlines()) == sorted(
            f"Error: {word}/{name}: leads to a directory that contains it" for name in links
        )
        assert sorted(os.listdir(target)) == ["beside", "deep", "run"]
        assert os.listdir(target / "deep") == [".hidden é"]


@pytest.mark.long
@pytest.mark.parametrize("flags", ["-r", "-rp"])
def test_read_only_directories(box: CommandLine, tmp_path: Path, flags: str) -> None:
    source, merged = tmp_path / "source", tmp_path / "merged"
    for name in ("locked", "ro", "deep/er/ro", "deep/er/locked"):
        (source / name).mkdir(parents=True)
        (source / name / "f").touch()
        (source / name).chmod(0o555)
    (source / "deep" / "er").chmod(0o511)
    (merged / "source" / "rocked").mkdir(parents=True)
    try:
        wanted = shape(source)
        box.ok("cp", flags, str(source), f"box:{tmp_path}/there")
        box.ok("cp", flags, f"box:{tmp_path}/there", f"box:{tmp_path}/more")
        box.ok("cp", flags, f"box:{tmp_path}/more", f"{tmp_path}/back")
        for name in ("there", "more", "back"):
            assert shape(tmp_path / name) == wanted
        box.ok("cp", flags, str(source), f"box:{merged}")
        found = shape(merged / "source")
        assert found.pop("rocked") is not None
        assert found == wanted
    finally:
        for path, _, _ in os.walk(tmp_path):
            os.chmod(path, 0o755)


@pytest.mark.long
def test_modes(box: CommandLine, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("x")
    source.chmod(0o4755)
    # The set-user-ID bit is kept when copying to the host, and dropped when copying back.
    for exact, *words in (
        (0o4755, str(source), f"box:{target}"),
        (0o755, f"box:{source}", str(target)),
    ):
        target.write_text("old")
        target.chmod(0o440)
        box.ok("cp", *words)
        assert (target.read_text(), stat.S_IMODE(target.stat().st_mode)) == ("x", 0o440)
        box.ok("cp", "-p", *words)
        assert stat.S_IMODE(target.stat().st_mode) == exact
        assert target.stat().st_mtime_ns == source.stat().st_mtime_ns
        target.unlink()
        box.ok("cp", *words)
        assert stat.S_IMODE(target.stat().st_mode) == 0o755
        target.unlink()


NAMES = ["a b", "-r", "a:b", "new\nline", 'it\'s "it"', "*", "\udce9\udcff", "é", "%2F?#", " "]


def test_names(box: CommandLine, tmp_path: Path) -> None:
    source, there, back = (tmp_path / name for name in ("source", "there", "back"))
    for directory in (source, there, back):
        directory.mkdir()
    for name in NAMES:
        (source / name).write_text(name, errors="surrogateescape")
    words = [f"./{name}" for name in NAMES]
    assert box("cp", *words, f"box:{there}", cwd=source).stderr == ""
    box.ok("cp", "--", *(f"box:{there}/{name}" for name in NAMES), f"{back}/")
    box.ok("cp", "-r", f"box:{there}", f"box:{back}/again")
    for directory in (there, back, back / "again"):
        for name in NAMES:
            assert (directory / name).read_text(errors="surrogateescape") == name


def test_a_file_that_is_too_large_is_named(
    box: CommandLine, own_daemon: Callable[..., Daemon], tree: Path, tmp_path: Path
) -> None:
    small = own_daemon("--max-file", "10")
    save_host(box.home, "small", Host(f"{small.url}/ws", small.token))
    done = box("cp", "-r", str(tree), f"small:{tmp_path}/there")
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: small:{tmp_path}/there/sub/deep/.hidden é:"
        " a file may have at most 10 bytes (--max-file)\n"
    )
    assert (tmp_path / "there" / "sub" / "run").exists()
