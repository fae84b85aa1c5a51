"""Start the daemon in the background without fork (Windows).

Another Python is started, with a console of its own that has no window: its commands need one to
get Ctrl-Break. It reads home and settings from stdin, and reports on stdout whether it started.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shellwire.daemon.report import START_SECONDS, Reporter, Started, check_health, read_report
from shellwire.errors import StartError
from shellwire.home.paths import Home
from shellwire.home.settings import Settings

if TYPE_CHECKING:
    from shellwire.process.portable import GroupOptions


_APART: GroupOptions
if sys.platform == "win32":
    _APART = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
else:
    _APART = {"start_new_session": True}


def start_detached(home: Home, settings: Settings, *, start_cwd: str) -> Started:
    """Start a daemon in the background; return once it answers ``/health``.

    Raises StartError, with the daemon's own reason, if the start fails.
    """
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            **_APART,
        )
    except OSError as error:
        raise StartError(f"can't start a process: {error.strerror}") from error
    assert process.stdin is not None
    assert process.stdout is not None
    late = threading.Timer(START_SECONDS, process.kill)
    late.start()
    try:
        task = {"home": str(home.root), "cwd": start_cwd, "settings": asdict(settings)}
        process.stdin.write(json.dumps(task).encode() + b"\n")
        process.stdin.close()
        line = process.stdout.readline()
    except OSError:  # the daemon ended before it read its stdin
        line = b""
    finally:
        late.cancel()
        process.stdout.close()
    if not line.endswith(b"\n"):
        raise StartError(f"the daemon ended before it was ready; see {home.log_file}")
    process.returncode = 0  # the daemon outlives us: Popen must not wait for it
    return check_health(read_report(line), home)


def main() -> int:
    """Run the daemon that ``start_detached`` has started. Returns the exit status."""
    task = json.loads(sys.stdin.buffer.readline())
    reporter = Reporter(os.dup(1))
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    home, settings = Home(Path(task["home"])), Settings(**_tuples(task["settings"]))
    return reporter.serve(home, settings, start_cwd=task["cwd"])


def _tuples(settings: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}


if __name__ == "__main__":
    sys.exit(main())
