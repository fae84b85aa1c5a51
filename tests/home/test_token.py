"""The token is created once, kept, and replaced only if malformed or rotated."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from shellwire.errors import HomeError
from shellwire.home.paths import Home
from shellwire.home.token import ensure_token, read_token, rotate_token, token_origin
from tests.home.helpers import mode

if TYPE_CHECKING:
    from pathlib import Path

OLD = "0123456789abcdef" * 4


def test_a_token_is_created_and_then_kept(home: Home) -> None:
    assert read_token(home) is None
    assert token_origin(home) == "created"
    token, origin = ensure_token(home)
    assert origin == "created"
    assert re.fullmatch("[0-9a-f]{64}", token)
    assert home.token_file.read_text() == token
    assert mode(home.token_file) == 0o600
    assert ensure_token(home) == (token, "kept")
    assert read_token(home) == token


@pytest.mark.parametrize("content", [OLD, f"{OLD}\n", f"  {OLD}\r\n", OLD.upper()])
def test_a_valid_token_is_kept_and_made_private(home: Home, content: str) -> None:
    home.token_file.write_text(content)
    home.token_file.chmod(0o644)
    assert ensure_token(home) == (content.strip(), "kept")
    assert mode(home.token_file) == 0o600


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", OLD[:-1].encode(), f"{OLD}0".encode(), b"g" * 64, b"\xff" * 64, b"\x00" * 64],
)
def test_a_malformed_token_is_replaced(home: Home, content: bytes) -> None:
    home.token_file.write_bytes(content)
    assert read_token(home) is None
    assert token_origin(home) == "replaced"
    token, origin = ensure_token(home)
    assert origin == "replaced"
    assert read_token(home) == token


def test_rotation_gives_a_new_token(home: Home) -> None:
    first = rotate_token(home)
    second = rotate_token(home)
    assert first != second
    assert ensure_token(home) == (second, "kept")


def test_rotation_needs_no_home_yet(tmp_path: Path) -> None:
    home = Home(tmp_path / "new")
    assert rotate_token(home) == read_token(home)


def test_a_directory_in_its_place_is_an_error(home: Home) -> None:
    home.token_file.mkdir()
    with pytest.raises(HomeError, match="not a regular file"):
        ensure_token(home)
