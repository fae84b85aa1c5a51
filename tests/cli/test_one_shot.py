"""The command line takes no client slot of a daemon and leaves no client_id in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shellwire.home.hosts import Host, save_host
from tests.cli.command_line import CommandLine
from tests.cli.terminal import Terminal
from tests.server.conftest import patched

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live import Daemon

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


@pytest.mark.long
async def test_an_open_shell_takes_no_slot(
    own_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    daemon = own_daemon("--max-clients", "1")
    box = CommandLine(tmp_path / "away")
    save_host(box.home, "box", Host(f"{daemon.url}/ws", daemon.token))
    (tmp_path / "file").write_text("content")
    with Terminal(box, "shell", "-H", "box") as terminal:
        terminal.does("echo re''ady", "ready")
        app = await daemon.client("app")
        await app.run("cd /usr")
        assert box.ok("exec", "-H", "box", "echo $((40 + 2))") == "42\n"
        assert "running" in box.ok("jobs", "-H", "box")
        box.ok("cp", str(tmp_path / "file"), f"box:{tmp_path}/copy")
        box.ok("whoami", "-H", "box")
        assert (tmp_path / "copy").read_text() == "content"
        assert (await app.run("pwd")).out == "/usr\n"
        # Only clients with a slot are listed.
        known = CommandLine(daemon.home).ok("clients", "list")
        assert [line.split()[0] for line in known.splitlines()] == ["CLIENT", "app"]
        await app.close()
        terminal.type("exit\r")
        assert terminal.exits() == 0


def test_an_earlier_daemon_refuses_as_ever(
    own_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    # An earlier daemon ignores the field `transient`.
    code = """
        from shellwire.protocol import codec
        import msgspec
        decode = codec.decode_auth
        codec.decode_auth = lambda text: msgspec.structs.replace(decode(text), transient=False)
        """
    daemon = own_daemon("--max-clients", "1", env=patched(tmp_path / "patch", code))
    box = CommandLine(tmp_path / "away")
    save_host(box.home, "box", Host(f"{daemon.url}/ws", daemon.token))
    with Terminal(box, "shell", "-H", "box") as terminal:
        terminal.does("echo re''ady", "ready")
        said = box.refused("exec", "-H", "box", "true", code=255)
        assert "every client slot is taken, by cli-" in said
        terminal.type("exit\r")
        assert terminal.exits() == 0
