"""Listings, globs and searches."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shellwire.errors import FileSystemError, InvalidArgument, InvalidRegex, NotDirectory, NotFound
from shellwire.files import change, walk

if TYPE_CHECKING:
    from pathlib import Path

    from shellwire.files.root import Root


def tree(top: Path, *files: str) -> None:
    for name in files:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(name)


def globbed(root: Root, pattern: str, *, hidden: bool = False) -> list[str]:
    return [os.fsdecode(found.path) for found in walk.glob(root, pattern, include_hidden=hidden)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**/*", ["a", "a/b", "a/b/c.py", "a/d.py", "e.py", "x[1]"]),
        ("*", ["a", "a/b", "a/b/c.py", "a/d.py", "e.py", "x[1]"]),
        ("*.py", ["a/b/c.py", "a/d.py", "e.py"]),
        ("**/*.py", ["a/b/c.py", "a/d.py", "e.py"]),
        ("/*.py", ["e.py"]),
        ("./*.py", []),
        ("a/*.py", ["a/d.py"]),
        ("a/**", ["a/b", "a/b/c.py", "a/d.py"]),
        ("a/**/*.py", ["a/b/c.py", "a/d.py"]),
        ("**/b/**/c.py", ["a/b/c.py"]),
        ("?.py", ["a/b/c.py", "a/d.py", "e.py"]),
        ("[cd].py", ["a/b/c.py", "a/d.py"]),
        ("[!cd].py", ["e.py"]),
        ("[c-e].py", ["a/b/c.py", "a/d.py", "e.py"]),
        ("[e-c].py", []),
        ("x[[]1]", ["x[1]"]),
        ("[", []),
        ("E.py", []),
    ],
)
def test_globs(root: Root, top: Path, pattern: str, expected: list[str]) -> None:
    tree(top, "a/b/c.py", "a/d.py", "e.py", "x[1]", ".h/g.py")
    assert globbed(root, pattern) == expected


def test_what_globs_skip(root: Root, top: Path) -> None:
    tree(top, "a/b", ".h/g", "z")
    (top / "link").symlink_to("a")
    (top / "loop").symlink_to(".")
    (top / "out").symlink_to("/etc")
    assert globbed(root, "**") == ["a", "a/b", "link", "loop", "out", "z"]
    assert globbed(root, "*", hidden=True)[:2] == [".h", ".h/g"]
    with pytest.raises(InvalidArgument):
        globbed(root, "/")


@given(st.text(st.sampled_from("ab*?[]!-^\\&|~./"), max_size=12), st.text("ab/", max_size=8))
@example("[?--]", "-")
@example("[a&&b]", "&")
def test_any_pattern_compiles(pattern: str, path: str) -> None:
    try:
        walk._matcher(pattern)(path.encode())
    except InvalidArgument:
        assert not pattern.strip("/")


def test_listings(root: Root, top: Path) -> None:
    tree(top, "b", "A", "z/y", "C/x", ".h")
    (top / "link").symlink_to("z")
    (top / "out").symlink_to("/etc")
    (top / "gone").symlink_to("nowhere")
    with walk.Listing(root, b"", include_hidden=False) as directory:
        found = [
            (entry.name, entry.is_directory, entry.is_symlink) for entry in directory.entries()
        ]
    assert found == [
        (b"C", True, False),
        (b"link", True, True),
        (b"z", True, False),
        (b"A", False, False),
        (b"b", False, False),
        (b"gone", False, True),
        (b"out", False, True),
    ]
    with walk.Listing(root, b"link", include_hidden=True) as directory:
        assert [entry.path for entry in directory.entries()] == [b"link/y"]
    for path, kind in ((b"b", NotDirectory), (b"gone", NotFound)):
        with pytest.raises(kind):
            walk.Listing(root, path, include_hidden=False)


def test_a_readable_directory_without_search_permission(root: Root, top: Path) -> None:
    tree(top, "d/f")
    (top / "d").chmod(0o444)
    was = os.geteuid()
    with walk.Listing(root, b"d", include_hidden=True) as directory:
        os.seteuid(was or 65534)  # permissions don't apply to root
        try:
            with pytest.raises(FileSystemError, match="d/f: permission denied"):
                directory.entries()
        finally:
            os.seteuid(was)
    (top / "d").chmod(0o700)


def found_in(root: Root, query: str, path: bytes = b"", **how: bool) -> list[tuple[str, int, str]]:
    options = {"regex": False, "case_sensitive": False, "include_hidden": False, **how}
    return [
        (os.fsdecode(each.path), each.line_number, each.line[each.start : each.end])
        for each in walk.search(root, path, query, **options)
    ]


def test_searches(root: Root, top: Path) -> None:
    (top / "a").mkdir()
    (top / "a/one").write_text("é foo FOO\r\nbar\nfoo(")
    (top / "two").write_bytes(b"\xff foo")
    (top / "binary").write_bytes(b"foo\0")
    (top / ".hidden").write_text("foo")
    (top / "link").symlink_to("a")
    os.mkfifo(top / "fifo")
    everywhere = [("a/one", 1, "foo"), ("a/one", 1, "FOO"), ("a/one", 3, "foo"), ("two", 1, "foo")]
    assert found_in(root, "foo") == everywhere
    assert found_in(root, "FOO", case_sensitive=True) == everywhere[1:2]
    assert found_in(root, "foo(") == [("a/one", 3, "foo(")]
    assert found_in(root, "^f.o", regex=True) == everywhere[2:3]
    assert found_in(root, "foo", b"link/one") == [
        ("link/one", *each[1:]) for each in everywhere[:3]
    ]
    assert (".hidden", 1, "foo") in found_in(root, "foo", include_hidden=True)
    with pytest.raises(InvalidRegex):
        found_in(root, "(", regex=True)
    with pytest.raises(InvalidArgument):
        found_in(root, "")


def test_long_lines_are_shown_around_the_match(root: Root, top: Path) -> None:
    (top / "long").write_text("a" * 10_000 + "needle" + "b" * 10_000)
    for query in ("needle", "a{3}needle", "needleb{5000}", "b$"):
        (match,) = walk.search(
            root, b"", query, regex=True, case_sensitive=True, include_hidden=False
        )
        assert len(match.line) == walk.MAX_LINE
        shown = match.line[match.start : match.end]
        assert shown.startswith(query[0])


def test_depth_is_bounded(root: Root, top: Path) -> None:
    directory = os.open(top, os.O_RDONLY)
    for _ in range(1200):  # deeper than Python's recursion limit and the limit on descriptors
        os.mkdir("d", dir_fd=directory)
        below = os.open("d", os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = below
    os.close(directory)
    assert len(globbed(root, "**")) == 128
    change.delete(root, b"d", recursive=True)
    assert os.listdir(top) == []
