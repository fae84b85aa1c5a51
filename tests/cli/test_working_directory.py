"""The start directory of `exec` and `shell`: current directory, home directory, context."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from shellwire.home.hosts import Host, save_host
from tests.cli.command_line import PROGRAM, SECONDS, CommandLine
from tests.cli.terminal import Terminal
from tests.live import Daemon
from tests.server.conftest import patched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


def started(
    cli: CommandLine, cwd: Path | str, *words: str, pwd: str | None = None
) -> tuple[str, str]:
    """Run ``exec`` in this directory; return its stdout and stderr."""
    variables = {"PWD": str(cwd) if pwd is None else pwd}
    done = cli.in_bytes("exec", *words, env=variables, cwd=cwd)
    assert done.returncode == 0, done
    return os.fsdecode(done.stdout).strip(), os.fsdecode(done.stderr).strip()


@pytest.fixture(scope="module")
def at_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Yield a daemon whose user has the home directory ``user``, beside the daemon's home."""
    directory = tmp_path_factory.mktemp("at home")
    (directory / "user").mkdir()
    daemon = Daemon(directory / "home", env={"HOME": str(directory / "user")})
    yield daemon
    daemon.stop()


@pytest.fixture
def local(at_home: Daemon) -> CommandLine:
    """Return a command line whose local daemon is ``at_home``."""
    return CommandLine(at_home.home)


@pytest.fixture
def far(at_home: Daemon, tmp_path: Path) -> CommandLine:
    """Return a command line with ``at_home`` as its host ``far``."""
    cli = CommandLine(tmp_path / "away")
    save_host(cli.home, "far", Host(f"{at_home.url}/ws", at_home.token))
    return cli


@pytest.mark.long
def test_in_the_current_directory(local: CommandLine, tmp_path: Path) -> None:
    here = tmp_path / "with a 'blank' and é"
    (here / "sub").mkdir(parents=True)
    assert started(local, here, "pwd") == (str(here), "")
    assert started(local, here, "-C", "sub", "pwd") == (str(here / "sub"), "")
    assert started(local, here, "-C", "/usr", "pwd") == ("/usr", "")
    assert started(local, "/", "pwd") == ("/", "")
    # By $PWD, which may contain symlinks, if it names the same directory.
    link = tmp_path / "link"
    link.symlink_to(here)
    assert started(local, link, "pwd; pwd -P") == (f"{link}\n{here}", "")
    assert started(local, here, "pwd", pwd="/usr") == (str(here), "")
    assert started(local, here, "pwd", pwd="sub") == (str(here), "")


def test_a_context_has_a_directory_of_its_own(local: CommandLine, tmp_path: Path) -> None:
    assert started(local, tmp_path, "-s", "own", "pwd") == (os.getcwd(), "")
    started(local, tmp_path, "-s", "own", "cd /usr")
    assert started(local, tmp_path, "-s", "own", "pwd") == ("/usr", "")
    assert started(local, tmp_path, "-s", "own", "-C", "bin", "pwd") == ("/usr/bin", "")


def test_a_shell_too(local: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Terminal(local, "shell") as terminal:
        terminal.does('echo "<$(pwd -P)>"', f"<{tmp_path}>")
        terminal.type("exit\r")
        assert terminal.exits() == 0


@pytest.mark.long
def test_in_the_home_directory_by_a_url(far: CommandLine, at_home: Daemon, tmp_path: Path) -> None:
    user = at_home.home.with_name("user")
    (user / "sub").mkdir(exist_ok=True)
    assert started(far, tmp_path, "-H", "far", "pwd") == (str(user), "")
    assert started(far, tmp_path, "-H", "far", "-C", "sub", "pwd") == (str(user / "sub"), "")
    assert started(far, tmp_path, "-H", "far", "-C", "/usr", "pwd") == ("/usr", "")
    assert started(far, tmp_path, "-H", "far", "-s", "far", "pwd") == (os.getcwd(), "")
    far.environment |= {"SHELLWIRE_URL": at_home.url, "SHELLWIRE_TOKEN": at_home.token}
    assert started(far, tmp_path, "pwd") == (str(user), "")


def test_a_removed_directory(local: CommandLine, at_home: Daemon, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    words = ["sh", "-c", 'rmdir "$PWD" && exec "$@"', "sh", *PROGRAM, "exec", "pwd"]
    done = subprocess.run(
        words,
        env={**local.environment, "PWD": str(gone)},
        cwd=gone,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=SECONDS,
        check=True,
    )
    user = at_home.home.with_name("user")
    assert done.stdout == f"{user}\n"
    assert done.stderr == (
        f"shellwire: the current directory was removed; the command starts in {user}\n"
    )


def test_a_directory_that_is_another_one_for_the_daemon(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    mount = f'mount -t tmpfs none "{here}" && touch "{here}/theirs" && exec "$@"'
    wrapper = ("unshare", "-m", "sh", "-c", mount, "sh")
    possible = subprocess.run([*wrapper, "true"], capture_output=True, check=False)
    if possible.returncode:
        pytest.skip("mount namespaces can't be had here")
    daemon = Daemon(tmp_path / "home", env={"HOME": "/nowhere"}, wrapper=wrapper)
    try:
        out, err = started(CommandLine(daemon.home), here, "pwd")
        # The home directory in HOME does not exist either.
        assert (out, err) == (
            "/",
            f"shellwire: the daemon does not see the directory {here}; the command starts in /",
        )
        out, err = started(CommandLine(daemon.home), here, "-C", str(here), "ls")
        assert (out, err) == ("theirs", "")
    finally:
        daemon.stop()


def test_a_name_that_is_not_utf_8(local: CommandLine, tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path / "odd") + b"\xff\x1b]0;x\x07")
    os.mkdir(odd)
    assert started(local, odd, "pwd") == (odd, "")


def test_a_daemon_that_does_not_tell_the_home_directory(tmp_path: Path) -> None:
    code = "from shellwire.daemon import build\nbuild._user_home = lambda environ: None"
    daemon = Daemon(tmp_path / "home", env=patched(tmp_path / "patch", code))
    try:
        cli = CommandLine(daemon.home)
        assert started(cli, tmp_path, "pwd") == (os.getcwd(), "")
        assert started(cli, "/", "-C", "tests", "pwd") == (f"{os.getcwd()}/tests", "")
    finally:
        daemon.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="no passwd")
async def test_what_status_says(own_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    import pwd

    for given, home in (
        (str(tmp_path), str(tmp_path)),
        ("/nowhere", "/"),
        ("relative", pwd.getpwuid(os.getuid()).pw_dir),
        ("", pwd.getpwuid(os.getuid()).pw_dir),
    ):
        client = await own_daemon(env={"HOME": given}).client()
        assert client.status["home"] == home
        await client.close()


async def test_stat_directory(at_home: Daemon, tmp_path: Path) -> None:
    client = await at_home.client()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("/usr")
    for path in ("/usr", str(tmp_path / "link")):
        found = os.stat("/usr")
        answer = await client.ask({"type": "stat_directory", "path": path, "id": "i"})
        del answer["request_id"]
        identity = f"{found.st_dev}:{found.st_ino}"
        expected = {"type": "directory_info", "path": path, "identity": identity, "id": "i"}
        assert answer == expected
    for path in (str(tmp_path / "file"), str(tmp_path / "missing"), "/" + "x" * 5000):
        answer = await client.ask({"type": "stat_directory", "path": path})
        assert answer["code"] == "NOT_FOUND"
    for wrong in ("", "usr", "/a\x00", 7):
        answer = await client.ask({"type": "stat_directory", "path": wrong})
        assert (answer["code"], answer["message"][:5]) == ("INVALID_MESSAGE", "path:")
    await client.close()
