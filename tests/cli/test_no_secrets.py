"""No command takes a secret as an argument, or puts one where other processes can read it."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from typing import TYPE_CHECKING

import click
import pytest

from shellwire.cli import main
from shellwire.home.hosts import Host, save_host
from tests.cli.command_line import PROGRAM, SECONDS
from tests.cli.test_help import PATHS, find

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.command_line import CommandLine

_SECRET = re.compile(r"token|password|passphrase|secret", re.IGNORECASE)

# How each command is run here. One that is missing fails the test: add it.
COMMANDS: dict[str, tuple[str, ...]] = {
    "start": ("start", "--port", "0"),
    "run": ("run", "--port", "0"),
    "status": ("status",),
    "exec": ("exec", "-H", "box", "env; cat /proc/self/cmdline"),
    "cp": ("cp", "/etc/hostname", "box:/tmp/shellwire-no-secrets"),
    "sync": ("sync", "DIRECTORY", "box:DIRECTORY-copy"),
    "shell": ("shell", "-H", "box"),
    "attach": ("attach", "none"),
    "jobs": ("jobs", "-H", "box"),
    "kill": ("kill", "none"),
    "logs": ("logs", "none"),
    "login": ("login", "other", "URL"),
    "logout": ("logout", "other"),
    "hosts": ("hosts",),
    "whoami": ("whoami", "-H", "box"),
    "elevate": ("elevate", "-H", "box", "--reason", "a test without a right"),
    "token show": ("token", "show"),
    "token create": ("token", "create", "-H", "box", "secret-1", "--role", "operator"),
    "token list": ("token", "list", "-H", "box"),
    "token revoke": ("token", "revoke", "secret-1"),
    "token rotate": ("token", "rotate"),
    "clients list": ("clients", "list"),
    "clients revoke": ("clients", "revoke", "nobody"),
    "clients restore": ("clients", "restore", "nobody"),
    "clients kick": ("clients", "kick", "nobody", "--reason", "a test"),
    "config check": ("config", "check", "config.toml"),
    "config show": ("config", "show"),
    "mcp": ("mcp",),
    "completion": ("completion", "bash"),
    "version": ("version",),
    "stop": ("stop",),
}
# It writes into the user's own directories, and knows no daemon.
ELSEWHERE = {"skill install"}
LEAVES = {" ".join(path) for path in PATHS if path and not isinstance(find(path), click.Group)}


def test_every_command_is_watched() -> None:
    assert COMMANDS.keys() == LEAVES - ELSEWHERE


@pytest.mark.parametrize("path", sorted(LEAVES))
def test_no_option_is_a_secret(path: str) -> None:
    for param in find(tuple(path.split())).params:
        for name in (param.name or "", *param.opts):
            assert not _SECRET.search(name), name
    assert isinstance(main, click.Group)


class Watcher:
    """Collects what /proc shows of every process: command lines and environments."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            for pid in filter(str.isdigit, os.listdir("/proc")):
                for name in ("cmdline", "environ"):
                    try:
                        with open(f"/proc/{pid}/{name}", "rb") as file:
                            self.seen.add(file.read())
                    except OSError:
                        continue

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.mark.long
def test_no_command_shows_a_secret(cli: CommandLine, tmp_path: Path) -> None:
    cli.start()
    url = cli.status()["url"]
    secrets = {cli.home.token_file.read_text().strip()}
    directory = tmp_path / "directory"
    directory.mkdir()
    save_host(cli.home, "box", Host(f"{url}/ws", cli.home.token_file.read_text().strip()))
    watcher = Watcher()
    try:
        for words in COMMANDS.values():
            given = [
                word.replace("DIRECTORY", str(directory)).replace("URL", url) for word in words
            ]
            done = subprocess.run(
                [*PROGRAM, *given],
                env=cli.environment,
                input=cli.home.token_file.read_text() + "\n" if words[0] == "login" else "",
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            secrets.add(cli.home.token_file.read_text().strip())
            if words[:2] == ("token", "create"):
                assert done.returncode == 0, done
                secrets.add(done.stdout.strip())
            elif words[0] != "token":
                assert not any(secret in done.stdout + done.stderr for secret in secrets), words
    finally:
        watcher.stop()
    assert len(secrets) == 3
    assert any(b"whoami" in each for each in watcher.seen), "the watcher is fast enough"
    log = (cli.home.root / "daemon.log").read_bytes()
    for secret in secrets:
        assert not [each for each in (*watcher.seen, log) if secret.encode() in each]
