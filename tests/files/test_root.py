"""Confinement: no path leads out of a root, and paths within it work."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
from typing import TYPE_CHECKING

import pytest

from shellwire.errors import (
    FileSystemError,
    InvalidArgument,
    NotDirectory,
    NotFile,
    NotFound,
    PathEscape,
    WireError,
)
from shellwire.files import change, walk
from shellwire.files.entry import stat_entry
from shellwire.files.hashes import Hashes
from shellwire.files.read import read
from shellwire.files.root import MAX_PATH, Root
from tests.files.observe import begin, names, swapping

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TURNS = 400


def content(root: Root, path: bytes) -> bytes:
    return read(root, path, 0, 1000, Hashes()).content.data


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (b"..", PathEscape),
        (b"a/../b", PathEscape),
        (b"../root/a", PathEscape),
        (b"/etc/passwd", PathEscape),
        (b"//etc/passwd", PathEscape),
        (b"a\0b", InvalidArgument),
        (b"x" * (MAX_PATH + 2), InvalidArgument),
        (b"x" * 256, InvalidArgument),
        (b"a/" * 2047 + b"a", NotFound),
        (b"a/file/x", NotDirectory),
        (b"missing/x", NotFound),
    ],
)
def test_refused_paths(root: Root, top: Path, path: bytes, kind: type) -> None:
    (top / "a").mkdir()
    (top / "a" / "file").touch()
    with pytest.raises(kind):
        content(root, path)


@pytest.mark.parametrize(
    "path", [b"a/b/file", b"./a//b/./file", b"a/b/file/", b"in", b"up/file", b"absolute", b"two"]
)
def test_paths_within_the_root(root: Root, top: Path, path: bytes) -> None:
    (top / "a" / "b").mkdir(parents=True)
    (top / "a" / "b" / "file").write_text("here")
    (top / "in").symlink_to("a/b/file")
    (top / "up").symlink_to("a/b/../../a/b")
    (top / "absolute").symlink_to(top / "a" / "b" / "file")
    (top / "two").symlink_to("up/../../in")
    assert content(root, path) == b"here"


@pytest.mark.parametrize(
    "target",
    ["../outside/secret", "a/../../outside/secret", "/etc/passwd", "/proc/self/root/etc/passwd"],
)
def test_symlinks_that_lead_out(root: Root, top: Path, target: str) -> None:
    (top / "a").mkdir()
    (top / "link").symlink_to(target)
    (top / "directory").symlink_to(os.path.dirname(target))
    name = os.path.basename(target).encode()
    for path in (b"link", b"directory/" + name):
        with pytest.raises(PathEscape):
            content(root, path)
        with pytest.raises(PathEscape):
            begin(root, path)
    with pytest.raises(PathEscape):
        stat_entry(root, b"link")
    with pytest.raises(PathEscape):
        change.make_directory(root, b"directory/new")
    with pytest.raises(PathEscape):
        change.rename(root, b"directory/new", b"x")
    assert names(top) == ["a", "directory", "link"]


def test_magic_links_are_read_and_not_followed(top: Path) -> None:
    with Root(b"/proc/self") as root:
        for path in (b"root/etc/passwd", b"cwd/x", b"fd/0"):
            with pytest.raises(WireError):
                content(root, path)
        assert content(root, b"comm")


def test_slash_as_root(top: Path) -> None:
    (top / "link").symlink_to(top.parent / "outside")
    with Root(b"/") as root:
        path = os.fsencode(top / "link" / "secret").lstrip(b"/")
        assert content(root, path) == b"secret"
        assert stat_entry(root, b"").name == b"/"


def test_symlink_loops_end(root: Root, top: Path) -> None:
    (top / "a").symlink_to("b")
    (top / "b").symlink_to("a")
    with pytest.raises(FileSystemError, match="symbolic links"):
        content(root, b"a")


def test_links_to_the_root_itself(root: Root, top: Path) -> None:
    (top / "self").symlink_to(".")
    (top / "a").mkdir()
    (top / "a" / "up").symlink_to("..")
    for path in (b"self", b"a/up", b"a/up/self"):
        assert stat_entry(root, path).is_directory
    assert stat_entry(root, b"a/up/a").name == b"a"
    (top / "file").write_text("x")
    assert content(root, b"a/up/self/file") == b"x"


@pytest.mark.parametrize("path", [b"relative", b"", b"./x", b"/" + b"x" * MAX_PATH])
def test_roots_are_absolute(path: bytes) -> None:
    with pytest.raises(InvalidArgument):
        Root(path)


def test_roots_are_directories(top: Path) -> None:
    (top / "file").touch()
    for name, kind in (("file", NotDirectory), ("missing", NotFound)):
        with pytest.raises(kind):
            Root(os.fsencode(top / name))


@pytest.mark.needs("no-root")
def test_a_root_need_not_be_readable(top: Path) -> None:
    (top / "file").write_text("x")
    top.chmod(0o100)
    try:
        with Root(os.fsencode(top)) as root:
            assert content(root, b"file") == b"x"
    finally:
        top.chmod(0o700)


def test_special_files_are_refused_at_once(root: Root, top: Path) -> None:
    os.mkfifo(top / "fifo")
    (top / "null").symlink_to("fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(os.fsencode(os.path.relpath(top / "socket")))
        for path in (b"fifo", b"null", b"socket", b""):
            with pytest.raises(NotFile):
                content(root, path)
            with pytest.raises(WireError):
                begin(root, path)
    with Root(b"/dev") as devices:
        for path in (b"null", b"zero", b"tty"):
            with pytest.raises(NotFile):
                content(devices, path)


def test_a_racing_symlink_does_not_escape(root: Root, top: Path) -> None:
    (top / "d").mkdir()
    (top / "d" / "secret").write_text("ours")
    (top / "d" / "moved").touch()
    outside = top.parent / "outside"
    read_there: set[bytes] = set()
    found: list[walk.Match] = []
    how = {"regex": False, "case_sensitive": True, "include_hidden": True}
    acts: list[Callable[[], object]] = [
        lambda: read_there.add(content(root, b"d/secret")),
        lambda: begin(root, b"d/new", create_parents=False).commit(None, Hashes()),
        lambda: change.delete(root, b"d/new", recursive=False),
        lambda: change.delete(root, b"d/made", recursive=True),
        # Not the secret itself: a write into a directory that is being remade would be lost.
        lambda: change.rename(root, b"d/moved", b"d/renamed"),
        lambda: change.rename(root, b"d/renamed", b"d/moved"),
        lambda: found.extend(walk.search(root, b"d", "secret", **how)),
    ]
    with swapping(top / "d", outside):
        for turn in itertools.count():
            # If every read hits the moment in between, nothing is proved; the timeout ends that.
            if turn >= TURNS and read_there:
                break
            for act in acts:
                with contextlib.suppress(WireError):
                    act()
    assert read_there == {b"ours"}
    assert not found
    assert names(outside) == ["secret"]


def test_names_need_not_be_utf_8(root: Root, top: Path) -> None:
    name = b"caf\xe9\n\xff"
    begin(root, name).commit(None, Hashes())
    assert os.listdir(os.fsencode(top)) == [name]
    (entry,) = walk.glob(root, "*", include_hidden=False)
    assert entry.path == name
    assert content(root, name) == b""
    with pytest.raises(NotFound) as caught:
        content(root, b"\n\xfe")
    assert "\n" not in str(caught.value)
