"""Saved hosts: private, replaced completely; a damaged file is a one-line error."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from shellwire.errors import DamagedFile
from shellwire.home.hosts import Host, forget_host, load_hosts, save_host
from shellwire.home.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

A, B = Host("ws://a/ws", "1"), Host("ws://b/ws", "2")


def test_they_are_saved_and_forgotten(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert load_hosts(home) == {}
    assert not forget_host(home, "a")
    save_host(home, "b", A)
    save_host(home, "a", A)
    save_host(home, "b", B)
    assert load_hosts(home) == {"a": A, "b": B}
    assert stat.S_IMODE(home.hosts_file.stat().st_mode) == 0o600
    assert forget_host(home, "a")
    assert load_hosts(home) == {"b": B}


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}x", '{"a": 1}', '{"a": {}}', '{"a": {"url": 1, "token": "t"}}']
)
def test_a_damaged_file(tmp_path: Path, content: str) -> None:
    home = Home(tmp_path)
    home.hosts_file.write_text(content)
    with pytest.raises(DamagedFile, match=r"hosts\.json is damaged"):
        load_hosts(home)
    with pytest.raises(DamagedFile):
        save_host(home, "a", A)
    assert home.hosts_file.read_text() == content
