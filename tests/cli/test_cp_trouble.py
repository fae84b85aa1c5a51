"""`cp` with wrong arguments, without a connection, and its progress bar."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import click
import pytest

from shellwire.cli.files.cp import cp_command
from shellwire.cli.files.progress import format_bytes, format_progress
from shellwire.home.hosts import Host, save_host
from tests.cli.command_line import PROGRAM, CommandLine
from tests.cli.terminal import Terminal
from tests.faults.proxy import Proxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live import Daemon


@pytest.mark.parametrize(
    "words",
    [("a",), ("a", "b"), ("a", "box:b", "c"), ("box:a", "b", "c"), ("-x",)],
)
def test_usage(words: tuple[str, ...]) -> None:
    with pytest.raises(click.UsageError) as refused:
        cp_command.main(list(words), standalone_mode=False)
    assert refused.value.exit_code == 2


def test_no_connection(box: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    assert "no host 'nobody'" in box.refused("cp", f"{tmp_path}/f", "nobody:", code=255)
    assert "not running" in box.refused("cp", f"{tmp_path}/f", ":", code=255)


async def test_a_lost_connection_is_reported_once(daemon: Daemon, tmp_path: Path) -> None:
    cli = CommandLine(tmp_path / "home")
    content = os.urandom(12_000_000)
    (tmp_path / "large").write_bytes(content)
    async with Proxy(daemon.url) as proxy:
        save_host(cli.home, "far", Host(proxy.url, daemon.token))
        proxy.cut_after(10**9)  # the first connection, the WebSocket, is not cut
        proxy.cut_after(3_000_000, "rst")
        process = await asyncio.create_subprocess_exec(
            *(*PROGRAM, "cp", f"{tmp_path}/large", f"far:{tmp_path}/there"),
            env=cli.environment,
            stdout=-1,
            stderr=-1,
        )
        out, err = await process.communicate()
        url = proxy.url
    assert (process.returncode, out) == (0, b"")
    cut, back = err.decode().splitlines()
    assert cut == f"shellwire: {url} broke off the connection; reconnecting"
    assert back == "shellwire: reconnected"
    assert (tmp_path / "there").read_bytes() == content


def test_the_progress_bar_on_a_terminal(box: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(os.urandom(30_000_000))
    with Terminal(box, "cp", f"{tmp_path}/large", f"box:{tmp_path}/there") as terminal:
        terminal.sees("large  ")
        terminal.sees("iB/s  ")
        terminal.sees(" left")
        assert terminal.exits() == 0
    assert (tmp_path / "there").stat().st_size == 30_000_000


def test_the_text_of_the_progress_bar() -> None:
    assert format_progress("f", 50, 100, 10.0) == "f   50%     50 B     10 B/s  00:05 left"
    assert format_progress("f\x1b", 0, 10, 0.0) == "f\\x1b    0%      0 B      0 B/s  --:-- left"
    assert format_progress("f", 0, 7300 * 2**20, 2.0**20).endswith("  1.0 MiB/s  2:01:40 left")
    assert format_bytes(1e15) == "909.5 TiB"
