"""Run run.sh and test.sh in a copy of the checkout whose path has a space.

A stand-in on PATH replaces the installers (uv, python3) and the programs that the scripts run
(shellwire, ruff, npm, …). It records its calls, so the tests are fast and need no network.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.live import PATIENCE
from tests.scripts.checkout import UV_INSTALL, UV_VENV, Checkout

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX scripts")

SHELLS = [
    ["sh"],
    ["bash"],
    pytest.param(["dash"], marks=pytest.mark.needs("dash")),
    pytest.param(["busybox", "sh"], marks=pytest.mark.needs("busybox")),
]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path, ["uv"])


@pytest.mark.parametrize("shell", SHELLS)
def test_first_use_sets_up_and_later_ones_only_run(checkout: Checkout, shell: list[str]) -> None:
    where = shutil.which(shell[0])
    assert where
    command = [where, *shell[1:], str(checkout.script)]

    first = checkout.run(*command, "start", "--x", "a b", "", stdin="input", EXITS="3")
    assert first.stdout == f"<{checkout.root.parent}><start><--x><a b><>input"
    assert first.stderr == "shellwire: setting up .venv …\n"
    assert first.returncode == 3
    assert checkout.calls() == [UV_VENV, UV_INSTALL, "shellwire start --x a b "]

    # Remove the installer: with a fresh stamp run.sh needs no uv, no Python and no network.
    (checkout.path / "uv").unlink()
    again = checkout.run(*command, "status", EXITS="3")
    assert (again.returncode, again.stderr) == (3, "")
    assert checkout.calls() == ["shellwire status"]


def test_no_argument_is_help(checkout: Checkout) -> None:
    assert checkout.run(checkout.script).returncode == 0
    assert checkout.calls()[-1] == "shellwire --help"


def test_symlinks_from_another_directory(checkout: Checkout, tmp_path: Path) -> None:
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    (elsewhere / "absolute").symlink_to(checkout.script)
    (elsewhere / "relative").symlink_to("../a check out/run.sh")
    (tmp_path / "twice").symlink_to("else where/relative")
    for link in ("./absolute", "./relative", "../twice"):
        assert checkout.run(link, "x", cwd=elsewhere).stdout == f"<{elsewhere}><x>"
    assert checkout.run("sh", "run.sh", "x", cwd=checkout.root).returncode == 0
    assert checkout.calls().count(UV_VENV) == 1
    assert not (elsewhere / ".venv").exists()


def test_the_environment_stays_unchanged(checkout: Checkout, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    # Names that the script may use itself, and some that change how Python works.
    names = ("root", "lock", "python", "output", "extra", "stamp", "tries", "PYTHONHOME")
    given = {name: f"my {name}" for name in names}
    expected = checkout.environment(ENVIRONMENT=str(seen), **given)
    subprocess.run([checkout.script, "x"], env=expected, capture_output=True, check=True)
    have = dict(line.split("=", 1) for line in seen.read_text().splitlines())
    for name in ("PWD", "OLDPWD", "SHLVL", "_"):  # set by the shell itself
        have.pop(name, None)
    assert have == expected


def test_changed_pyproject_updates_in_place(checkout: Checkout) -> None:
    checkout.run(checkout.script)
    checkout.change_pyproject()
    checkout.calls()
    checkout.run(checkout.script, "x")
    assert checkout.calls() == [UV_INSTALL, "shellwire x"]
    checkout.run(checkout.script, "x")
    assert checkout.calls() == ["shellwire x"]


def test_replaced_python_and_moved_checkout_start_over(checkout: Checkout) -> None:
    checkout.run(checkout.script)
    replaced = checkout.stand_in.with_name("python3.99")
    shutil.copy(checkout.stand_in, replaced)
    python = checkout.root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(replaced)
    checkout.calls()
    checkout.run(checkout.script, "x")
    assert checkout.calls() == [UV_VENV, UV_INSTALL, "shellwire x"]

    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    checkout.run(checkout.script, "x")
    assert checkout.calls() == [UV_VENV, UV_INSTALL, "shellwire x"]


@pytest.mark.needs("root")
@pytest.mark.parametrize("shell", SHELLS)
def test_an_environment_of_another_user_is_left_alone(checkout: Checkout, shell: list[str]) -> None:
    theirs = checkout.root / ".venv" / "theirs"
    theirs.mkdir(parents=True)
    os.chown(theirs.parent, 54321, 54321)
    program = shutil.which(shell[0])
    assert program
    done = checkout.run(program, *shell[1:], checkout.script, "status")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "belongs to another user" in done.stderr
    assert theirs.is_dir()


def test_failed_setup_is_shown_in_full_and_tried_again(checkout: Checkout) -> None:
    failed = checkout.run(checkout.script, "x", FAILS=UV_INSTALL)
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert failed.stderr.splitlines()[1:] == [
        "what went wrong",
        f"shellwire: setting up failed: {UV_INSTALL}",
    ]
    assert checkout.calls() == [UV_VENV, UV_INSTALL]
    checkout.run(checkout.script, "x")
    assert checkout.calls() == [UV_VENV, UV_INSTALL, "shellwire x"]

    # A failed update keeps the old environment; a killed one makes the next run start over.
    checkout.change_pyproject()
    assert checkout.run(checkout.script, "x", FAILS=UV_INSTALL).returncode == 1
    assert checkout.calls() == [UV_INSTALL]
    assert checkout.run(checkout.script, "x", DIES=UV_INSTALL).returncode != 0
    assert checkout.calls() == [UV_INSTALL]
    checkout.run(checkout.script, "x")
    assert checkout.calls() == [UV_VENV, UV_INSTALL, "shellwire x"]


def test_pip_where_there_is_no_uv(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, ["python3.12"])
    install = "python -m pip install --disable-pip-version-check --quiet --editable ."
    checkout.run(checkout.script, "x")
    assert checkout.calls() == ["python3.12 -m venv .venv", install, "shellwire x"]
    checkout.change_pyproject()
    checkout.run(checkout.script, "x")
    assert checkout.calls() == [install, "shellwire x"]


def test_a_venv_of_uv_is_remade_when_uv_is_gone(checkout: Checkout) -> None:
    checkout.run(checkout.script)
    (checkout.path / "uv").rename(checkout.path / "python3")
    checkout.change_pyproject()
    checkout.calls()
    checkout.run(checkout.script, "x")
    assert checkout.calls()[0] == "python3 -m venv .venv"


def test_without_a_usable_python_one_line_says_so(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, ["python3", "python3.12"])
    old = "import sys; sys.exit(sys.version_info < (3, 11))"
    (checkout.path / "python3.12").unlink()
    run = checkout.run(checkout.script, FAILS=f"python3 -c {old}")
    assert run.returncode == 1
    assert run.stderr.splitlines()[1:] == [
        "shellwire: no Python 3.11 or newer on PATH: install one, or uv"
    ]
    run = checkout.run(checkout.script, FAILS="python3 -c import ensurepip, venv")
    assert run.returncode == 1
    assert len(run.stderr.splitlines()) == 2
    assert run.stderr.splitlines()[1].startswith("shellwire: python3 lacks ensurepip: install it")


@pytest.mark.parametrize("flock", [pytest.param(True, marks=pytest.mark.needs("flock")), False])
def test_two_at_once_set_up_once(checkout: Checkout, flock: bool) -> None:
    if flock:
        checkout.use_flock()
    else:  # with a lock whose holder is dead
        gone = subprocess.Popen(["true"])
        gone.wait()
        (checkout.root / ".venv.lock").symlink_to(str(gone.pid))
    running = [
        subprocess.Popen([checkout.script, "x"], env=checkout.environment(SLOW="0.2"))
        for _ in range(3)
    ]
    assert [process.wait(PATIENCE) for process in running] == [0, 0, 0]
    assert sorted(checkout.calls()) == ["shellwire x"] * 3 + [UV_INSTALL, UV_VENV]
    assert not list(checkout.root.glob(".venv.*"))


@pytest.mark.needs("flock")
def test_killed_setup_does_not_block_the_next(checkout: Checkout) -> None:
    checkout.use_flock()  # the link lock would depend on when init reaps the dead process
    first = subprocess.Popen(
        [checkout.script, "x"],
        env=checkout.environment(SLOW="30"),
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + PATIENCE
    while not (checkout.calls_file.exists() and UV_INSTALL in checkout.calls_file.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    checkout.calls()
    assert checkout.run(checkout.script, "x").returncode == 0
    assert checkout.calls() == [UV_VENV, UV_INSTALL, "shellwire x"]


DEV_INSTALL = UV_INSTALL + "[dev]"
CHECKS = [
    "ruff check",
    "ruff format --check",
    "mypy --strict",
    "mypy --config-file tests/windows/mypy.ini",
    "lint-imports ",
    "pytest --numprocesses N -m not long and not needs",
]


def _with_n(lines: list[str]) -> list[str]:
    """Return the lines with the machine's number of processes replaced by N."""
    return [re.sub(r"(?<=--numprocesses )[1-9]\d*(?= |$)", "N", line) for line in lines]


def test_all_checks_in_order(checkout: Checkout) -> None:
    run = checkout.run(checkout.root / "test.sh")
    assert run.returncode == 0
    assert _with_n(run.stdout.splitlines()) == [f"== {check.strip()}" for check in CHECKS]
    assert run.stderr.splitlines() == [
        "shellwire: setting up .venv …",
        "test.sh: no node and npm on PATH: the tests that need them will fail",
    ]
    assert _with_n(checkout.calls()) == [UV_VENV, DEV_INSTALL, *CHECKS]

    # run.sh uses the same environment without changing it.
    checkout.run(checkout.script, "x")
    assert checkout.calls() == ["shellwire x"]


def test_the_first_failure_ends_it_with_its_exit_code(checkout: Checkout) -> None:
    assert checkout.run(checkout.root / "test.sh", FAILS="mypy --strict").returncode == 7
    assert checkout.calls()[2:] == CHECKS[:3]


def test_arguments_go_only_to_pytest(checkout: Checkout, tmp_path: Path) -> None:
    checkout.run(checkout.script)
    checkout.calls()
    (tmp_path / "check").symlink_to("a check out/test.sh")
    run = checkout.run("./check", "-k", "a b", cwd=tmp_path, FAILS="pytest -k a b")
    assert run.returncode == 7
    assert checkout.calls() == [DEV_INSTALL, "pytest -k a b"]


def test_node_packages_are_installed_once(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, ["uv", "node", "npm"])
    script = checkout.root / "test.sh"
    install = "npm install --no-package-lock --no-audit --no-fund --ignore-scripts"
    failed = checkout.run(script, "x", FAILS=install)
    assert failed.stderr.splitlines()[1:] == [
        "what went wrong",
        "test.sh: npm install failed: the tests that need node will fail",
    ]
    assert checkout.calls()[-2:] == [install, "pytest x"]
    checkout.run(script, "x")
    assert checkout.calls() == [install, "pytest x"]
    checkout.run(script, "x")
    assert checkout.calls() == ["pytest x"]
