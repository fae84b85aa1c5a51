"""What the README lists is what there is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from mcp import StdioServerParameters

from shellwire.agents.skill import skill_for
from shellwire.cli import main
from shellwire.cli.start import run_command, start_command
from shellwire.home.paths import Home
from tests.agents.agent import SECONDS, Agent, parameters
from tests.docs.document import ROOT, Document, code
from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shellwire.agents.skill import Agent as AgentName
    from tests.cli.command_line import CommandLine
    from tests.docs.document import Block
    from tests.live import Daemon

README = Document("README.md")


# Lists -------------------------------------------------------------------------------------------


def shown_default(option: click.Option) -> str:
    """Return how the table shows an option's default."""
    if option.multiple:
        return "none"
    if isinstance(option.default, bool):
        return "on" if option.default else "off"
    return "not set" if option.default is None else f"`{option.default}`"


def unit_of(option: click.Option) -> str:
    """Return the unit that the option's help begins with."""
    word = (option.help or "").split()[0].lower()
    return word if word in ("seconds", "bytes") else ""


def test_the_options_of_start() -> None:
    (table,) = README.section("Options of start").tables
    documented = [
        (code(row["option"]), code(row["variable"]), row["default"], row["unit"]) for row in table
    ]
    options = [each for each in start_command.params if isinstance(each, click.Option)]
    assert documented == [
        (each.opts[0], each.envvar, shown_default(each), unit_of(each)) for each in options
    ]


def test_run_takes_them_too_but_daemon() -> None:
    names = [each.name for each in start_command.params]
    assert sorted(each.name or "" for each in run_command.params) == sorted(
        name for name in names if name and name not in ("daemon", "detached")
    )


def commands(group: click.Group, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}"


def test_the_commands() -> None:
    table, exits = README.section("Commands").tables
    assert {code(row["command"]) for row in table} == set(commands(main, "shellwire"))
    assert [row["exit code"] for row in exits] == ["0", "1", "2", "3", "124", "130", "255"]


def test_the_files(tmp_path: Path) -> None:
    home = Home(tmp_path)
    files = {getattr(home, name).name for name in vars(Home) if name.endswith("_file")}
    assert {code(row["file"]) for row in README.section("Files").table()} == files


# Pastes ------------------------------------------------------------------------------------------


def paste(block: Block, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the README where the local daemon is that of ``home``."""
    environ = {name: value for name, value in os.environ.items() if "SHELLWIRE" not in name}
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", block.text, *words],
        env={**environ, "SHELLWIRE_HOME": str(home), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    # In this mode asyncio also tells of what took 0.1 s, as anything may where much else runs.
    done.stderr = re.sub(r"(?m)^Executing <.* took [\d.]+ seconds\n", "", done.stderr)
    return done


@pytest.mark.long
def test_from_the_command_line(cli: CommandLine) -> None:
    (block,) = [b for b in README.of_kind("sh") if b.heading == "From the command line"]
    bin_directory = str(Path(sys.executable).parent)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        env={
            **cli.environment,
            "PATH": f"{bin_directory}:{os.environ['PATH']}",
            "SHELLWIRE_PORT": "0",
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout[done.stdout.index("bin\n") :].splitlines()
    assert said[2:7] == ["[a  b]", "[$HOME]", "HELLO", "exit code 3", "clang in /tmp"]
    assert said[7] == "24 80"
    assert said[8].split() == ["ID", "STATE", "STARTED", "CONTEXT", "COMMAND"]
    assert "exited 3" in done.stdout
    assert "tr a-z A-Z; exit 3" in done.stdout


def test_from_python(daemon: Daemon) -> None:
    whole, blocking = [b for b in README.of_kind("python") if b.heading == "From Python"]
    done = paste(whole, daemon.home)
    assert (done.returncode, done.stderr) == (0, ""), done
    lines = done.stdout.split("\n")
    assert lines[0].startswith("3 [")
    assert "'bin'" in lines[0]
    assert "stdout 3" in lines
    assert "exited" in lines
    assert "30 100" in done.stdout
    assert "clang in /tmp" in lines
    done = paste(blocking, daemon.home)
    assert (done.returncode, done.stderr) == (0, ""), done
    lines = done.stdout.split("\n")
    assert lines[:2] == ["hello", "tick"]
    assert lines[3].startswith("[('cat', 'exited'), ('while sleep")


def test_from_an_ai_agent(daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = [b for b in README.of_kind("json") if b.heading == "From an AI agent"]
    (server,) = json.loads(block.text)["mcpServers"].values()
    usual = parameters(daemon.home, tmp_path).env or {}
    # An agent finds it on its PATH, as a user's installation puts it there.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    named = StdioServerParameters(**server, cwd=tmp_path, env={**usual, "PATH": path})
    with Agent(named, tmp_path / "stderr") as agent:
        assert agent.call("run_command", command="pwd")["stdout"] == f"{tmp_path}\n"
        tools = agent.begin(agent.client.list_tools()).result(SECONDS).tools
    section = README.section("From an AI agent")
    assert {tool.name for tool in tools} <= set(re.findall(r"`(\w+)`", section.text))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    agents: list[AgentName] = ["claude", "codex", "cursor", "copilot", "opencode"]
    rows = {code(row["agent"]): code(row["`skill install` writes"]) for row in section.table()}
    assert list(rows) == agents
    for each in agents:
        assert skill_for(each).path == tmp_path / rows[each].removeprefix("~/")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "PROTOCOL.md"])
def test_links_and_lines(name: str) -> None:
    document = Document(name)
    for target in document.links():
        assert (ROOT / target).exists(), target
    for line in document.text.splitlines():
        assert line == line.rstrip()
        assert len(line) <= 100 or line.startswith(("|", "<", ">", "{", " ")), line
