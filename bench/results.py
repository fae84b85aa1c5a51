"""The last results of each benchmark, kept so that tables and chart can be written from them."""

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
    """Return what is stored, by the benchmark's name; of this machine only."""
    if not _FILE.exists():
        return {}
    stored: Results = json.loads(_FILE.read_text(encoding="utf-8"))
    here = machine()
    return {name: each for name, each in stored.items() if each["machine"] == here}


def entry(found: dict[str, Any], scale: float) -> dict[str, Any]:
    """Return ``found`` with when, where and how it was measured."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "scale": scale,
        "flags": " ".join(FLAGS),
        "machine": machine(),
        **found,
    }


def of_rows(rows: Sequence[Row]) -> dict[str, Any]:
    """Return rows as they are kept."""
    return {"rows": [asdict(row) for row in rows]}


def store(name: str, measured: dict[str, Any]) -> None:
    """Keep an entry, unless the one that is kept was made with more effort."""
    kept = load()
    if name in kept and kept[name]["scale"] > measured["scale"]:
        return
    CACHE.mkdir(exist_ok=True)
    text = json.dumps({**kept, name: measured}, indent=1, ensure_ascii=False)
    _FILE.write_text(text + "\n", encoding="utf-8")


def machine() -> str:
    """Return what this machine is, in one line."""
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
