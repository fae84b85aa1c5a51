"""The marker ``needs``: the programs that a test needs, and a table of their versions and runs.

A pytest plugin, loaded by ``tests/conftest.py``. A test marked ``needs("rsync")`` is skipped where
that program is missing, with its name as the reason. The run ends with one line a component.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

# Programs of components that are named otherwise, or are no program themselves.
_PROGRAMS = {"ash": "busybox", "ws": "node"}

_VERSION_FLAGS = {"dash": None, "ash": None, "openssl": "version", "ssh": "-V", "tmux": "-V"}


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


_CONDITIONS: dict[str, Callable[[], bool]] = {
    "root": _is_root,
    "no-root": lambda: not _is_root(),
    "/proc": lambda: os.path.exists("/proc/self/status"),
}


@cache
def find(component: str) -> str | None:
    """Return the path of a component's program: in our environment or on PATH; or None."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return shutil.which(_PROGRAMS.get(component, component), path=path)


def is_here(component: str) -> bool:
    """Whether a component can be used on this machine."""
    condition = _CONDITIONS.get(component)
    return condition() if condition is not None else find(component) is not None


def version(component: str) -> str:
    """Return the first line of a program's version output, at most 40 characters."""
    path = None if component in _CONDITIONS else find(component)
    if path is None:
        return "-"
    if component in ("ash", "busybox"):
        return _first_line([path])
    flag = _VERSION_FLAGS.get(component, "--version")
    return "?" if flag is None else _first_line([path, flag])


def _first_line(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "?"
    lines = (done.stdout or done.stderr).decode(errors="replace").strip().splitlines()
    return lines[0][:40] if lines else "?"


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Skip tests with missing components, and record for the summary what each test needs."""
    for item in items:
        needed = _needed(item)
        item.user_properties += [("needs", component) for component in needed]
        missing = [component for component in needed if not is_here(component)]
        if missing:
            item.add_marker(pytest.mark.skip(reason=f"needs {', '.join(missing)}"))


def _needed(item: pytest.Item) -> list[str]:
    named = (argument for marker in item.iter_markers("needs") for argument in marker.args)
    return list(dict.fromkeys(named))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line a component: version, tests run, tests skipped and why."""
    run: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    reasons: dict[str, set[str]] = {}
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.getreports(outcome):
            for key, component in getattr(report, "user_properties", ()):
                if key != "needs":
                    continue
                if outcome == "skipped":
                    skipped[component] += 1
                    reasons.setdefault(component, set()).add(_reason(report))
                else:
                    run[component] += 1
    components = sorted({*run, *skipped})
    if not components:
        return
    terminalreporter.section("components")
    row = "{:<12} {:<40} {:>5} {:>7}  {}"
    terminalreporter.write_line(
        row.format("component", "version", "run", "skipped", "why").rstrip()
    )
    for each in components:
        why = "; ".join(sorted(reasons.get(each, ())))
        line = row.format(each, version(each), run[each], skipped[each], why)
        terminalreporter.write_line(line.rstrip())


def _reason(report: pytest.TestReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")
