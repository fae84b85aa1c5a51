"""A simulated phone with Termux.

It has a prefix with its own bin and tmp, nothing else on PATH, no account and no psutil, and lacks
the functions that Python for Android lacks. Opening or starting a file in /bin, /usr/bin or the
system's /tmp fails.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import shellwire
from tests.live import Daemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.live import Client

_ANDROID = f"""
CHECKOUT = {str(Path(shellwire.__file__).parents[1])!r}
"""
_ANDROID += """
import asyncio, os, pwd, select, signal, shutil, socket, sys  # they check sys.platform

sys.platform = "android"  # as since Python 3.13
sys.modules["psutil"] = None

for module, name in (
    (os, "posix_spawn"), (os, "posix_spawnp"), (os, "memfd_create"),
    (os, "pidfd_open"), (signal, "pidfd_send_signal"), (select, "epoll"),
):
    if hasattr(module, name):
        delattr(module, name)

sys.getandroidapilevel = lambda: 24

def getpwuid(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")
pwd.getpwuid = getpwuid

root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
own = (root, CHECKOUT, sys.prefix, sys.base_prefix)
foreign = ("/bin/", "/usr/bin/", "/tmp/", "/var/tmp/")

def watch(event, arguments):
    if event not in ("open", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.listdir"):
        return
    path = arguments[0]
    if isinstance(path, (str, bytes)):
        path = os.fsdecode(path)
        if path.startswith(foreign) and not path.startswith(own):
            raise PermissionError(13, "not there on a phone", path)
sys.addaudithook(watch)
"""
_PROGRAMS = ("bash", "env", "id", "mktemp", "sleep", "tty")


class Phone:
    """The phone's directories, and the environment that Termux gives a shell."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.prefix = root / "files" / "usr"
        for name in ("bin", "tmp", "lib"):
            (self.prefix / name).mkdir(parents=True)
        self.home = root / "files" / "home"
        self.home.mkdir()
        for name in _PROGRAMS:
            found = shutil.which(name)
            assert found is not None, f"the tests need {name}"
            self.link(name, found)
        (self.prefix / "lib" / "sitecustomize.py").write_text(_ANDROID)
        self.environ = {
            "HOME": str(self.home),
            "PREFIX": str(self.prefix),
            "PATH": f"{self.prefix}/bin",
            "TMPDIR": f"{self.prefix}/tmp",
            "LANG": "en_US.UTF-8",
            "PYTHONPATH": f"{self.prefix}/lib",
        }

    def link(self, name: str, target: str) -> None:
        (self.prefix / "bin" / name).symlink_to(target)

    def daemon(self, *flags: str) -> Daemon:
        return Daemon(self.home / ".shellwire", *flags, only=self.environ)

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "shellwire", *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done
        return done.stdout


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Phone:
    return Phone(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def daemon(phone: Phone) -> Iterator[Daemon]:
    daemon = phone.daemon("--max-clients", "100")
    yield daemon
    daemon.stop()


@pytest.fixture
async def client(daemon: Daemon) -> AsyncIterator[Client]:
    client = await daemon.client()
    yield client
    await client.close()


async def test_bash_is_found_on_path(phone: Phone, client: Client) -> None:
    assert client.status["shell"] == f"{phone.prefix}/bin/bash"
    ran = await client.run("export A=1; b=2; cd $PREFIX; echo $0 $TMPDIR; type -P bash")
    assert (ran.err, ran.code, ran.last["committed"]) == ("", 0, True)
    bash = f"{phone.prefix}/bin/bash"
    assert ran.out == f"bash {phone.prefix}/tmp\n{bash}\n"
    assert (await client.run("echo $A $b $PWD")).out == f"1 2 {phone.prefix}\n"


async def test_a_session_without_an_account_runs_the_shell_of_commands(
    phone: Phone, client: Client
) -> None:
    session = await client.session(use_pty=True)
    await client.send(
        {"type": "send_input", "id": session, "data": "echo $BASH$((6*7)); tty; exit\n"}
    )
    said = await client.output_until(session, "/dev/pts/")
    assert f"{phone.prefix}/bin/bash42" in said


async def test_nothing_stays_in_tmp(phone: Phone, client: Client) -> None:
    await client.run("echo $(mktemp -u)")
    assert list((phone.prefix / "tmp").iterdir()) == []


@pytest.mark.needs("dash")
async def test_sh_without_bash(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    (phone.prefix / "bin" / "bash").unlink()
    phone.link("sh", shutil.which("dash") or "dash")
    daemon = phone.daemon()
    try:
        client = await daemon.client()
        assert client.status["shell"] == f"{phone.prefix}/bin/sh"
        assert (await client.run("A=1; export A; cd $PREFIX")).last["committed"]
        assert (await client.run("echo $A $PWD")).out == f"1 {phone.prefix}\n"
        await client.close()
    finally:
        daemon.stop()


def test_in_the_background_with_few_processes(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    phone("start", "--daemon", "--port", "0")
    try:
        spares = json.loads(phone("config", "show", "--json"))["spares"]
        assert (spares["value"], spares["source"]) == (0, "default")
    finally:
        phone("stop")


def test_foreign_paths_are_unavailable(phone: Phone) -> None:
    # Without this check the tests above might pass for nothing.
    tried = "import subprocess; subprocess.run(['/bin/sh', '-c', 'exit'])"
    done = subprocess.run(
        [sys.executable, "-c", tried],
        env=phone.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "not there on a phone" in done.stderr
    assert os.path.exists("/bin/sh")
