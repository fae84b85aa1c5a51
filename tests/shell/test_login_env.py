"""Reading a login shell's environment, whatever else its profile does.

The whole start: tests/daemon/test_login_env.py.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shellwire.errors import ShellwireError, SpawnError
from shellwire.process.reap import Reaper
from shellwire.shell import login_env
from shellwire.shell.login_env import is_bare, login_environment, merge

if TYPE_CHECKING:
    from pathlib import Path

POSIX = """
echo before; env; env -0 2>/dev/null; set; printf 'no newline'
FROM_PROFILE='two
lines'; MORE=x=y; EMPTY=; export FROM_PROFILE MORE EMPTY
unset GIVEN
PATH="$HOME/bin:$PATH"
"""
FISH = """
echo before; env; env -0
set -gx FROM_PROFILE 'two
lines'; set -gx MORE x=y; set -gx EMPTY ''
set -e GIVEN
set -gx PATH $HOME/bin $PATH
"""
PROFILES = {
    "bash": (".bash_profile", POSIX + "trap 'echo after' EXIT\n"),
    "dash": (".profile", POSIX),
    "zsh": (".zprofile", POSIX + "TRAPEXIT() { echo after }\n"),
    "fish": (".config/fish/config.fish", FISH),
}


def shell(name: str) -> str:
    path = shutil.which(name)
    assert path is not None, f"a test that is not marked so needs {name}"
    return path


def profile(home: Path, name: str, text: str) -> dict[bytes, bytes]:
    """Write the profile of a shell into ``home``; return the environment for the shell."""
    path = home / PROFILES[name][0]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    environ = {"HOME": str(home), "PATH": "/usr/bin:/bin", "GIVEN": "1", "SHELLWIRE_URL": "u"}
    return {key.encode(): os.fsencode(value) for key, value in environ.items()}


@pytest.mark.parametrize(
    "name",
    ["bash", *(pytest.param(name, marks=pytest.mark.needs(name)) for name in [*PROFILES][1:])],
)
async def test_every_shell_prints_its_environment(tmp_path: Path, name: str) -> None:
    environ = profile(tmp_path, name, PROFILES[name][1])
    result = await login_environment(shell(name), environ, Reaper())
    assert result[b"FROM_PROFILE"] == b"two\nlines"
    assert result[b"MORE"] == b"x=y"
    assert result[b"EMPTY"] == b""
    assert result[b"PATH"].startswith(os.fsencode(tmp_path / "bin") + b":")
    assert b"GIVEN" not in result
    assert b"SHELLWIRE_URL" not in result


async def test_it_runs_in_its_own_session(tmp_path: Path) -> None:
    text = "cat; export PID=$$ SESSION=$(cut -d ' ' -f 6 /proc/$$/stat)\n"
    result = await login_environment(shell("bash"), profile(tmp_path, "bash", text), Reaper())
    assert result[b"SESSION"] == result[b"PID"]


async def test_a_child_that_keeps_the_pipe_open_does_not_delay_us(tmp_path: Path) -> None:
    text = f"sleep 1000 & echo $! >{tmp_path}/pid; export FOUND=1\n"
    result = await login_environment(shell("bash"), profile(tmp_path, "bash", text), Reaper())
    assert result[b"FOUND"] == b"1"
    # Profiles start agents like this; they must stay.
    psutil.Process(int((tmp_path / "pid").read_text())).kill()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("exit 3\n", "ended with exit code 3 before"),
        ("kill -9 $$\n", "ended with exit code -9 before"),
        ("exec >/dev/null\n", "ended with exit code 0 before"),
        ("exec >&-; sleep 0\n", "ended with exit code"),
        ("exec true\n", "ended with exit code 0 before"),
    ],
)
async def test_a_profile_that_ends_the_shell_is_reported(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ShellwireError, match=message):
        await login_environment(shell("bash"), profile(tmp_path, "bash", text), Reaper())


@pytest.mark.parametrize("end", ["exit 3", "exec yes", "exec sleep 1000"])
async def test_a_failed_profile_leaves_no_process(tmp_path: Path, end: str) -> None:
    pids = tmp_path / "pids"
    pids.touch()
    text = f"""
for kind in '' setsid; do $kind sleep 1000 & echo $! >>{pids}; done
echo $$ >>{pids}
{end}
"""
    seconds, message = (1000.0, "exit code 3") if end == "exit 3" else (0.5, "within 0.5 s")
    with pytest.raises(ShellwireError, match=message):
        await login_environment(
            shell("bash"), profile(tmp_path, "bash", text), Reaper(), seconds=seconds
        )
    assert not [pid for pid in pids.read_text().split() if _runs(int(pid))]


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_cancelling_leaves_no_process(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    text = f"echo $$ >{fifo}; sleep 1000\n"
    asking = asyncio.create_task(
        login_environment(shell("bash"), profile(tmp_path, "bash", text), Reaper(), seconds=1000)
    )
    pid = int(await asyncio.to_thread(fifo.read_text))
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not _runs(pid)


async def test_too_large_an_environment_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_env, "MAX_SIZE", 1000)
    text = "export LONG=$(printf %070000d 1)\n"
    with pytest.raises(ShellwireError, match="too large"):
        await login_environment(shell("bash"), profile(tmp_path, "bash", text), Reaper())


async def test_a_program_that_is_no_shell_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SpawnError, match="no-such-shell"):
        await login_environment("/no-such-shell", {}, Reaper())
    with pytest.raises(ShellwireError, match="before it printed"):
        await login_environment(shell("false"), {}, Reaper())


@pytest.mark.parametrize(
    ("path", "bare"),
    [
        ("", True),
        ("/usr/bin:/bin", True),  # cron
        ("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", True),  # systemd
        ("/usr/bin/:/bin:", True),
        ("/p/usr/bin:/system/bin", True),  # Termux, with PREFIX
        ("/home/u/bin:/usr/bin:/bin", False),
        ("/usr/bin:/opt/homebrew/bin", False),
        ("/usr/bin:/usr/games", False),  # from /etc/profile
    ],
)
def test_a_path_of_system_directories_is_bare(path: str, bare: bool) -> None:
    assert is_bare({b"PATH": path.encode(), b"PREFIX": b"/p/usr"}) == bare


def test_a_missing_path_is_bare() -> None:
    assert is_bare({})


def test_only_missing_variables_are_taken() -> None:
    own = {b"LANG": b"C", b"PATH": b"/usr/bin:/venv/bin", b"PWD": b"/", b"HOME": b"/h"}
    login = {
        b"LANG": b"de_DE",
        b"EDITOR": b"vi",
        b"PATH": b"/h/bin:/usr/bin:/bin",
        b"PWD": b"/h",
        b"OLDPWD": b"/",
        b"SHLVL": b"1",
        b"_": b"/bin/python",
        b"SHELLWIRE_TOKEN": b"x",
    }
    path = b"/h/bin:/usr/bin:/bin:/venv/bin"
    assert merge(own, login) == {**own, b"EDITOR": b"vi", b"PATH": path}
    assert merge({}, {b"PATH": b"/a"}) == {b"PATH": b"/a"}
    assert merge(own, {}) == own


_VARIABLES = st.dictionaries(st.binary(min_size=1, max_size=3), st.binary(max_size=5))


@given(own=_VARIABLES, login=_VARIABLES)
def test_a_merge_loses_nothing(own: dict[bytes, bytes], login: dict[bytes, bytes]) -> None:
    merged = merge(own, login)
    assert {name: merged[name] for name in own} == own
    assert set(merged) == set(own) | (set(login) - {b"PWD", b"OLDPWD", b"SHLVL", b"_"})
