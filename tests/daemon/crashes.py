"""Commands, environments and pids for tests of a daemon that crashes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live import Client


def run_words(*flags: str) -> list[str]:
    return [sys.executable, "-m", "shellwire", "run", "--port", "0", *flags]


def home_environment(home: Path) -> dict[str, str]:
    return {**os.environ, "SHELLWIRE_HOME": str(home)}


async def pids_of(client: Client, command: str, count: int, **fields: object) -> list[int]:
    job = await client.start(command, timeout=0, **fields)
    text = ""
    while len(text.split()) < count:
        text += (await client.until("output", id=job))[-1]["data"]
    return [int(word) for word in text.split()[:count]]
