"""Every module but the POSIX ones can be imported where there is no POSIX."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import shellwire

HERE = Path(__file__).parent
POSIX_ONLY = {
    "shellwire.cli.local_terminal",
    "shellwire.cli.tty",
    "shellwire.daemon.daemonize",
    "shellwire.files.archive",
    "shellwire.files.change",
    "shellwire.files.read",
    "shellwire.files.root",
    "shellwire.files.service",
    "shellwire.files.archive_process",
    "shellwire.files.uploads",
    "shellwire.files.walk",
    "shellwire.files.workers",
    "shellwire.files.write",
    "shellwire.process.fork",
    "shellwire.process.pty",
    "shellwire.process.spawn",
    "shellwire.server.http_files.archive_worker",
    "shellwire.server.http_files.archives",
    "shellwire.server.http_files.put",
    "shellwire.server.http_files.routes",
    "shellwire.server.http_files.get",
    "shellwire.server.files.operations",
    "shellwire.server.files.queue",
    "shellwire.server.files.worker",
    "shellwire.shell.login_env",
    "shellwire.shell.report",
}
_IMPORT_ALL = """
import importlib, json, pkgutil, shellwire, sys
assert sys.platform == "win32"
failed = {}
for module in pkgutil.walk_packages(shellwire.__path__, "shellwire."):
    try:
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    except (ImportError, AttributeError) as error:
        failed[module.name] = str(error)
print(json.dumps(failed))
"""


def on_windows(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a Python that takes itself for one on Windows."""
    path = os.pathsep.join([str(HERE), str(Path(shellwire.__file__).parents[1])])
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": path, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_module() -> None:
    done = on_windows("-c", _IMPORT_ALL)
    assert (done.returncode, done.stderr) == (0, "")
    failed = json.loads(done.stdout)
    assert failed.keys() == POSIX_ONLY, failed


def test_the_type_checker_leaves_out_the_same() -> None:
    config = configparser.ConfigParser()
    config.read(HERE / "mypy.ini")
    (section,) = [name for name in config.sections() if "shellwire." in name]
    patterns = section.removeprefix("mypy-").split(",")
    assert {module for module in POSIX_ONLY for each in patterns if fnmatch(module, each)} == (
        POSIX_ONLY
    )
    assert all(any(fnmatch(module, each) for module in POSIX_ONLY) for each in patterns)


def test_help_and_version() -> None:
    done = on_windows("-m", "shellwire", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: shellwire")
    done = on_windows("-m", "shellwire", "version")
    assert done.stdout == f"shellwire {shellwire.__version__}\n"


def test_elsewhere_nothing_of_windows_is_loaded() -> None:
    loaded = "import shellwire.daemon.run, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )
    modules = set(done.stdout.split())
    assert "shellwire.shell.launch" in modules
    windows = {"daemon.background", "process.portable", "process.threads"}
    windows |= {"shell.cmd", "shell.file_shell", "shell.powershell"}
    assert not {f"shellwire.{name}" for name in windows} & modules
