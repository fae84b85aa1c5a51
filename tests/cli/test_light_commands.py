"""The commands used most import little: their start is what a user waits for."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.command_line import CommandLine

HEAVY = {
    "aiohttp",
    "http.client",
    "multiprocessing",
    "psutil",
    "ptyprocess",
    "shellwire.client.files.http_client",
    "shellwire.client.proxy",
    "shellwire.client.sync",
    "shellwire.daemon",
    "shellwire.jobs",
    "shellwire.protocol.file_results",
    "shellwire.protocol.messages",
    "shellwire.server",
    "tarfile",
    "tomllib",
    "tree_sitter",
    "urllib.request",
    "websockets.asyncio",
    "websockets.sync",
    "yarl",
}

_CODE = """
import gc, sys
from shellwire.cli import main
try:
    main(prog_name="shellwire")
finally:
    print(*sorted(HEAVY & set(sys.modules)), gc.isenabled(), file=sys.stderr)
"""


def loaded(here: CommandLine, *words: str) -> str:
    """Return the heavy modules that a command imports, and whether garbage is collected."""
    done = subprocess.run(
        [sys.executable, "-c", f"HEAVY = {HEAVY!r}\n{_CODE}", *words],
        env=here.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize("words", [("exec", "--", "true"), ("jobs",)], ids=lambda words: words[0])
def test_they_import_nothing_heavy(here: CommandLine, words: tuple[str, ...]) -> None:
    assert loaded(here, *words) == "True"


def test_logs_and_kill_import_nothing_heavy(here: CommandLine) -> None:
    job = here.ok("exec", "-d", "echo hi; exec sleep 1000").strip()
    assert loaded(here, "logs", job) == "True"
    assert loaded(here, "kill", job) == "True"
