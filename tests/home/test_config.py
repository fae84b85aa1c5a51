"""Every key of the settings file has its line number, and invalid TOML is reported with one."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shellwire.errors import HomeError
from shellwire.home.config import Entry, read_config

TEXT = '''
# port = 1
host = "a" # "
"port" = 2

text = """
port = 3
"""
allow_host = [ # ]
  "x",

  "y = ]",
]
grace.x = 1
'''


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_each_key_has_the_line_on_which_it_begins(path: Path, newline: str, mark: str) -> None:
    path.write_bytes((mark + TEXT.replace("\n", newline)).encode())
    assert read_config(path) == {
        "host": Entry("a", 3),
        "port": Entry(2, 4),
        "text": Entry("port = 3\n", 6),
        "allow_host": Entry(["x", "y = ]"], 9),
        "grace": Entry({"x": 1}, 14),
    }


def test_keys_in_a_table_are_not_keys_of_the_file(path: Path) -> None:
    path.write_text("port = 1\n[server]\nport = 2\nhost = 3\n")
    assert read_config(path) == {
        "port": Entry(1, 1),
        "server": Entry({"port": 2, "host": 3}, 2),
    }


def test_each_key_in_a_table_has_its_line(path: Path) -> None:
    path.write_text(
        "a = {x = 1, y = [\n2]}\nb.x = 1\nb.y = 2\n[c]\n# x\nx = [\n1]\ny = 2\n[d]\nx = 1"
    )
    lines = {key: dict(entry.lines) for key, entry in read_config(path).items()}
    assert lines == {
        "a": {"x": 1, "y": 1},
        "b": {"x": 3, "y": 4},
        "c": {"x": 7, "y": 9},
        "d": {"x": 11},
    }


def test_no_file_is_empty(path: Path) -> None:
    assert read_config(path) == {}
    path.touch()
    assert read_config(path) == {}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"port", 1),
        (b"\nport = 7 8\n", 2),
        (b"port = 1\n\nport = 2\n", 3),
        (b'a = 1\nhost = "open\n', 2),
        (b'a = 1\nhost = """open\n\n', 2),
        (b"a = 1\n# \xff\nb = 2", 2),
        (b"a = 1\nport = " + b"9" * 5000, 2),
        (b"a = 1\n\nb = " + b"[" * 100_000, 3),
        (b"\x00", 1),
    ],
    ids=range(9),
)
def test_invalid_toml_is_one_line_with_a_line_number(path: Path, content: bytes, line: int) -> None:
    path.write_bytes(content)
    with pytest.raises(HomeError) as caught:
        read_config(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert "\n" not in str(caught.value)


def test_a_directory_in_its_place_is_an_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(HomeError, match="not a regular file"):
        read_config(path)
    with pytest.raises(HomeError, match="Not a directory"):
        read_config(Path(__file__) / "config.toml")


@given(st.binary(max_size=200) | st.text(' \n="[]#a1.', max_size=60).map(str.encode))
def test_any_content_is_settings_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    with contextlib.suppress(HomeError):
        for entry in read_config(path).values():
            assert 1 <= entry.line <= content.count(b"\n") + 1
