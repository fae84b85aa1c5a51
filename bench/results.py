"""The stored last results of each benchmark, from which tables and chart are written."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.peers.environment import CACHE
from bench.wire import FLAGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.measure import Row

_FILE = CACHE / "results.json"
Results = dict[str, dict[str, Any]]


def load() -> Results:
    """Return this machine's stored results by the benchmark's name."""
    if not _FILE.exists():
        return {}
    stored: Results = json.loads(_FILE.read_text(encoding="utf-8"))
    here = machine()
    return {name: each for name, each in stored.items() if each["machine"] == here}


def entry(found: dict[str, Any], scale: float) -> dict[str, Any]:
    """Return ``found`` with the date, machine, scale and flags of the measurement."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "scale": scale,
        "flags": " ".join(FLAGS),
        "machine": machine(),
        **found,
    }


def of_rows(rows: Sequence[Row]) -> dict[str, Any]:
    """Return rows in their stored form."""
    return {"rows": [asdict(row) for row in rows]}


def store(name: str, measured: dict[str, Any]) -> None:
    """Store an entry, unless the stored one was measured at a larger scale."""
    kept = load()
    if name in kept and kept[name]["scale"] > measured["scale"]:
        return
    CACHE.mkdir(exist_ok=True)
    text = json.dumps({**kept, name: measured}, indent=1, ensure_ascii=False)
    _FILE.write_text(text + "\n", encoding="utf-8")


def machine() -> str:
    """Return a one-line description of this machine."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    bash = subprocess.run(
        ["bash", "-c", "echo ${BASH_VERSION%%(*}"], capture_output=True, text=True, check=True
    ).stdout.strip()
    kernel = ".".join(platform.release().split("-")[0].split(".")[:2])
    return (
        f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB; {platform.system()} {kernel}, "
        f"bash {bash}, Python {platform.python_version()}"
    )
