"""The file tools."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.agents.agent import Agent


@pytest.fixture
def here(agent: Agent, tmp_path: Path) -> Path:
    """Return the directory in which the agent's commands run."""
    agent.call("run_command", command=f"cd {tmp_path}")
    return tmp_path


def test_read_returns_what_was_written(agent: Agent, here: Path) -> None:
    text = "$HOME `x` 'q' \"d\" \\n\ta €😀\r\n"
    written = agent.call("write_file", path="new/a.txt", content=text)
    path = here / "new" / "a.txt"
    assert path.read_bytes() == text.encode()
    assert written["path"] == str(path)
    read = agent.call("read_file", path="new/a.txt")
    assert read["content"] == text
    assert read["eof"] is read["is_text"] is True
    assert read["size"] == read["next_offset"] == written["size"] == len(text.encode())
    assert read["hash"] == written["hash"] == hashlib.sha256(text.encode()).hexdigest()
    path.write_text("changed")
    error = agent.refused("write_file", path="new/a.txt", content="x", expected_hash=read["hash"])
    assert error.startswith("CONFLICT: ")
    assert path.read_text() == "changed"


@pytest.mark.long
def test_pieces_split_no_character(agent: Agent, here: Path) -> None:
    text = "aé€😀" * 50
    (here / "pieces").write_text(text)
    for length in (4, 5, 6, 7, 999):
        offset, seen = 0, ""
        while True:
            piece = agent.call("read_file", path="pieces", offset=offset, length=length)
            seen += piece["content"]
            offset = piece["next_offset"]
            assert piece["is_text"]
            assert piece["size"] == len(text.encode())
            assert (piece["hash"] is None) == (length < 999)
            if piece["eof"]:
                break
        assert seen == text


def test_offset_past_the_end(agent: Agent, here: Path) -> None:
    (here / "short").write_text("12345")
    (here / "empty").touch()
    for path, size in (("short", 5), ("empty", 0)):
        read = agent.call("read_file", path=path, offset=100)
        assert (read["content"], read["size"], read["eof"]) == ("", size, True)
        assert agent.call("read_file", path=path)["size"] == size


def test_relative_paths_start_at_the_saved_directory(agent: Agent, here: Path) -> None:
    (here / "sub").mkdir()
    (here / "link").symlink_to("sub")
    assert agent.call("write_file", path="sub/../a", content="a")["path"] == str(here / "a")
    agent.call("run_command", command="cd sub")
    assert agent.call("read_file", path="../a")["content"] == "a"
    assert agent.call("read_file", path="../link/../a")["content"] == "a"
    found = agent.call("search_files", query="a", path="..")
    assert [match["path"] for match in found["matches"]] == [str(here / "a")]
    assert agent.refused("read_file", path="../none/a").startswith("NOT_FOUND: ")


def test_binary_content_is_marked(agent: Agent, here: Path) -> None:
    (here / "bytes").write_bytes(b"a\xff\xfe\x80\x80\x80\x80b")
    assert agent.call("read_file", path="bytes", length=4)["is_text"] is False
    read = agent.call("read_file", path="bytes")
    assert (read["is_text"], read["content"]) == (False, "a" + "\ufffd" * 6 + "b")
    (here / "nul").write_bytes(b"a\0")
    assert agent.call("read_file", path="nul")["is_text"] is False


def test_edit_needs_exactly_one_occurrence(agent: Agent, here: Path) -> None:
    path = here / "edited"
    path.write_bytes(b"one\ntwo\none\n\xff aaa\n")
    path.chmod(0o750)
    edited = agent.call("edit_file", path="edited", old="two\none", new="2\n1")
    assert path.read_bytes() == b"one\n2\n1\n\xff aaa\n"
    assert path.stat().st_mode & 0o777 == 0o750
    assert edited["hash"] == hashlib.sha256(path.read_bytes()).hexdigest()
    before = path.read_bytes()
    assert "more than once" in agent.refused("edit_file", path="edited", old="aa", new="b")
    assert "does not occur" in agent.refused("edit_file", path="edited", old="two", new="b")
    assert agent.refused("edit_file", path="none", old="a", new="b").startswith("NOT_FOUND: ")
    assert path.read_bytes() == before


def test_edit_keeps_crlf_line_ends(agent: Agent, here: Path) -> None:
    """A model reads and writes LF: its edits get the file's own line ends."""
    path = here / "crlf"
    path.write_bytes(b"one\r\ntwo\r\nthree\r\n")
    agent.call("edit_file", path="crlf", old="one\ntwo\n", new="1\n2\n\n")
    assert path.read_bytes() == b"1\r\n2\r\n\r\nthree\r\n"
    agent.call("edit_file", path="crlf", old="three", new="3\n4")  # one line becomes two
    assert path.read_bytes() == b"1\r\n2\r\n\r\n3\r\n4\r\n"
    agent.call("edit_file", path="crlf", old="3\r\n4", new="5\n6")  # CRLF in `old`: literal
    assert path.read_bytes() == b"1\r\n2\r\n\r\n5\n6\r\n"
    # Mixed line ends now: no conversion.
    assert "does not occur" in agent.refused("edit_file", path="crlf", old="1\n2", new="x")
    agent.call("edit_file", path="crlf", old="5\n6", new="7\n8")
    assert path.read_bytes() == b"1\r\n2\r\n\r\n7\n8\r\n"
    (here / "twice").write_bytes(b"a\r\nb\r\na\r\n")
    assert "more than once" in agent.refused("edit_file", path="twice", old="a\n", new="x")


def test_errors_name_the_path(agent: Agent, here: Path) -> None:
    for path, named in ((".", here), ("./.", here), ("/", "/"), ("sub/..", here)):
        (here / "sub").mkdir(exist_ok=True)
        assert f"{named}: not a regular file" in agent.refused("read_file", path=path)
    assert f"{here}/none: " in agent.refused("read_file", path="./none")


def test_search_finds_lines(agent: Agent, here: Path) -> None:
    (here / "src").mkdir()
    (here / "src" / "a.py").write_text("import os\nprint(1)\n")
    found = agent.call("search_files", query="print(")
    assert found == {
        "matches": [{"path": str(here / "src" / "a.py"), "line_number": 2, "line": "print(1)"}],
        "truncated": False,
    }
    found = agent.call("search_files", query=r"^i\w+", path="src", regex=True)
    assert [match["line"] for match in found["matches"]] == ["import os"]
    assert agent.refused("search_files", query="(", regex=True).startswith("INVALID_REGEX: ")
    assert agent.refused("read_file", path="src").startswith(("IS_DIRECTORY: ", "NOT_FILE: "))
