"""The MCP server: starting a daemon, shutdown, signals, and a clean stdout."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import shellwire
from shellwire.home.hosts import Host, save_host
from tests.agents.agent import SECONDS, Agent, parameters
from tests.cli.command_line import CommandLine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live import Daemon


@contextmanager
def home(tmp_path: Path) -> Iterator[CommandLine]:
    """Yield a home without a daemon; one started there ends with the block."""
    cli = CommandLine(tmp_path / "home")
    try:
        yield cli
    finally:
        cli.end_daemon()


@pytest.mark.long
def test_it_starts_a_daemon_and_leaves_it_running(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    with home(tmp_path) as cli:
        with Agent(parameters(cli.home.root, work), tmp_path / "stderr") as agent:
            assert not cli.home.pid_file.exists()
            assert agent.call("run_command", command="pwd")["stdout"] == f"{work}\n"
            job = agent.call("start_process", command="while sleep 0.1; do :; done")["id"]
            long = agent.begin_call("run_command", command="echo begun; sleep 600")
            while len(agent.call("list_processes")["processes"]) < 3:
                pass
            first = cli.home.pid_file.read_text()
            # After the daemon has stopped, the next call starts another one.
            cli.ok("stop")
            assert long.result(SECONDS) is not None
            assert agent.refused("read_output", id=job).startswith("NOT_FOUND: ")
            assert cli.home.pid_file.read_text() != first
            assert agent.call("run_command", command="pwd")["stdout"] == f"{work}\n"
            job = agent.call("start_process", command="while sleep 0.1; do :; done")["id"]
            agent.begin_call("run_command", command="sleep 600")
            while len(agent.call("list_processes")["processes"]) < 3:
                pass
        with Agent(parameters(cli.home.root, work), tmp_path / "stderr") as agent:
            jobs = {p["command"]: p for p in agent.call("list_processes")["processes"]}
            assert not any(p["is_yours"] for p in jobs.values())
            left = jobs["sleep 600"]
            page = agent.call("read_output", id=left["id"], until="never", wait=SECONDS)
            assert page["exit_code"] is not None
            assert jobs["while sleep 0.1; do :; done"]["state"] == "running"
            assert agent.call("kill_process", id=job)["state"] == "ended"


@pytest.mark.long
def test_concurrent_servers_start_one_daemon(tmp_path: Path) -> None:
    with home(tmp_path) as cli, ExitStack() as stack:
        agents = [
            stack.enter_context(Agent(parameters(cli.home.root, tmp_path), tmp_path / f"{number}"))
            for number in range(2)
        ]
        calls = [agent.begin_call("run_command", command="echo $$") for agent in agents]
        done = [call.result(SECONDS) for call in calls]
        assert [each.is_error for each in done] == [False] * 2, done
        assert [agent.said() for agent in agents] == [""] * 2


def test_no_daemon_can_be_started(tmp_path: Path) -> None:
    with home(tmp_path) as cli:
        cli.home.root.mkdir(mode=0o700)
        cli.home.config_file.write_text("port = 'x'\n")
        with Agent(parameters(cli.home.root, tmp_path), tmp_path / "stderr") as agent:
            line = agent.refused("run_command", command="true")
            assert line.startswith("no daemon runs, and none can be started: ")
            assert "config.toml:1: port: expected an integer" in line


def test_a_remote_daemon_is_not_started(tmp_path: Path) -> None:
    server = parameters(tmp_path / "home", tmp_path, SHELLWIRE_URL="ws://127.0.0.1:9")
    with Agent(server, tmp_path / "stderr") as agent:
        line = agent.refused("list_processes")
        assert line == "ws://127.0.0.1:9/ws can't be reached: Connection refused"
    assert not (tmp_path / "home").exists()


def test_daemon_of_a_saved_host(daemon: Daemon, tmp_path: Path) -> None:
    with home(tmp_path) as cli:
        assert "no host 'box' is saved" in cli.refused("mcp", "-H", "box", code=255)
        save_host(cli.home, "box", Host(daemon.url, daemon.token))
        server = parameters(cli.home.root, tmp_path)
        named = server.model_copy(update={"args": [*server.args, "-H", "box"]})
        with Agent(named, tmp_path / "stderr") as agent:
            done = agent.call("run_command", command="pwd; exit 4")
        assert done["exit_code"] == 4
        assert done["stdout"] != f"{tmp_path}\n"  # a remote daemon does not have our directories
        assert not cli.home.pid_file.exists()


class Raw:
    """The server's pipes, used without an SDK."""

    def __init__(self, daemon: Daemon) -> None:
        server = parameters(daemon.home, daemon.home.parent)
        self.process = subprocess.Popen(
            [server.command, *server.args],
            env={**os.environ, **(server.env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def send(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def ask(self, number: int, method: str, **params: Any) -> dict[str, Any]:
        """Send a request and return its answer."""
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        self.send(json.dumps(request).encode())
        return self.answer(number)

    def answer(self, number: int) -> dict[str, Any]:
        assert self.process.stdout is not None
        while True:
            message: dict[str, Any] = json.loads(self.process.stdout.readline())
            assert message["jsonrpc"] == "2.0"
            if message.get("id") == number:
                return message

    def call(self, number: int, tool: str, **arguments: Any) -> Any:
        return self.ask(number, "tools/call", name=tool, arguments=arguments)["result"]

    def initialize(self) -> None:
        """Initialize as agents of the first protocol generation do."""
        info = {"name": "raw", "version": "1"}
        self.ask(1, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo=info)
        self.send(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}')


@contextmanager
def raw(daemon: Daemon) -> Iterator[Raw]:
    server = Raw(daemon)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.communicate()


RUBBISH = (
    *(b"", b"rubbish", b"{}", b"[]", b"\xff\xfe", b"{" * 100_000),
    b'{"jsonrpc": "2.0", "id": 7}',
    b'{"jsonrpc": "2.0", "id": 8, "method": "\\ud800"}',
    b'{"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": []}',
)


def test_only_the_protocol_is_on_stdout(daemon: Daemon) -> None:
    with raw(daemon) as server:
        for rubbish in RUBBISH:
            server.send(rubbish)
        server.initialize()
        done = server.call(2, "run_command", command="echo '{}'")
        assert done["structuredContent"]["stdout"] == "{}\n"
        out, _ = server.process.communicate(timeout=SECONDS)  # closes stdin
        assert out == b""
        assert server.process.returncode == 0


@pytest.mark.long
def test_a_signal_ends_its_commands_and_nothing_else(daemon: Daemon, tmp_path: Path) -> None:
    with raw(daemon) as server:
        server.initialize()
        job = server.call(2, "start_process", command="cat")["structuredContent"]["id"]
        server.call(4, "run_command", command=f"sleep 600 >{tmp_path}/log 2>&1 & : {tmp_path}")
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        arguments = {"command": f"echo $$ >{fifo}; exec sleep 600"}
        request = {"name": "run_command", "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": request}
        server.send(json.dumps(message).encode())
        pid = os.pidfd_open(int(fifo.read_text()))
        server.process.send_signal(signal.SIGTERM)
        _, err = server.process.communicate(timeout=SECONDS)
        assert (server.process.returncode, err) == (-signal.SIGTERM, b"")
        assert select.select([pid], [], [], SECONDS)[0]
        os.close(pid)
    with raw(daemon) as server:
        server.initialize()
        left = {
            each["id"]: each["state"]
            for each in server.call(2, "list_processes")["structuredContent"]["processes"]
            if each["id"] == job or each["command"].endswith(f" & : {tmp_path}")
        }
        assert sorted(left.values()) == ["background", "running"]
        for each in left:
            killed = server.call(3, "kill_process", id=each)["structuredContent"]
            assert killed["id"] == each


WITHOUT = """
import importlib, pkgutil, sys
sys.modules["mcp"] = sys.modules["mcp_types"] = None
import shellwire
for module in pkgutil.walk_packages(shellwire.__path__, "shellwire."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def test_without_the_mcp_extra(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    # An import error that shadows the installed package.
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\n"
        "found = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name.startswith('mcp') else found(name, *a)\n"
    )
    path = os.pathsep.join([str(tmp_path), str(Path(shellwire.__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-m", "shellwire", "mcp"],
        env={**os.environ, "PYTHONPATH": path, "SHELLWIRE_HOME": str(tmp_path / "home")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: `python -m shellwire mcp` needs the extra mcp:"
        " `pip install '.[mcp]'` in a checkout installs it\n"
    )
