"""The version, printed without loading much."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from shellwire import __version__

if TYPE_CHECKING:
    from tests.cli.command_line import CommandLine


@pytest.mark.parametrize("spelling", ["version", "--version"])
def test_the_version(cli: CommandLine, spelling: str) -> None:
    assert cli.ok(spelling) == f"shellwire {__version__}\n"
    assert not cli.home.root.exists()


@pytest.mark.parametrize("argument", ["version", "--version", "--help"])
def test_it_loads_nothing_heavy(cli: CommandLine, argument: str) -> None:
    code = f"""
import sys
from shellwire.cli import main
main([{argument!r}], standalone_mode=False)
print(*sorted({{"asyncio", "aiohttp", "msgspec", "psutil", "http", "ssl"}} & set(sys.modules)))
"""
    out = subprocess.check_output([sys.executable, "-c", code], env=cli.environment, text=True)
    assert out.splitlines()[-1] == ""


def test_no_command_shows_the_commands(cli: CommandLine) -> None:
    done = cli()
    assert done.returncode in (0, 2)  # 2 since click 8.2
    for command in ("start", "run", "stop", "status", "version", "token", "clients"):
        assert f"\n  {command}" in done.stdout + done.stderr
