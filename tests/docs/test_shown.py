"""Every command that README and docs/ show exists, and those of ``sh run`` blocks work."""

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
from tests.agents.agent import SECONDS, Agent, parameters
from tests.docs.document import MANUAL, ROOT, Document, code
from tests.docs.shown import check, shown_in

if TYPE_CHECKING:
    from shellwire.agents.skill import Agent as AgentName
    from tests.cli.command_line import CommandLine
    from tests.docs.document import Block
    from tests.live import Daemon


@pytest.mark.parametrize("name", MANUAL)
def test_every_command_shown_can_be_given(name: str) -> None:
    for words in shown_in(Document(name)):
        try:
            check(words)
        except click.UsageError as error:
            pytest.fail(f"{' '.join(words)}: {error.message}")


def test_wrong_commands_are_found() -> None:
    for words in (["nothing"], ["exec", "--nothing"], ["token", "nothing"]):
        with pytest.raises(click.UsageError):
            check(words)
    assert ["token", "rotate"] in shown_in(Document("docs/cli.md"))
    assert ["exec", "-s", "build", "echo $CC in $PWD"] in shown_in(Document("README.md"))


# Shell -------------------------------------------------------------------------------------------


def run_blocks(name: str) -> str:
    return "\n".join(b.text for b in Document(name).of_kind("sh") if b.info == "sh run")


def played(text: str, cli: CommandLine) -> str:
    """Run a page's shell blocks as one script, with a home of its own; return what it prints."""
    bin_directory = str(Path(sys.executable).parent)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        env={
            **cli.environment,
            "PATH": f"{bin_directory}{os.pathsep}{os.environ['PATH']}",
            "SHELLWIRE_PORT": "0",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    for expected in re.findall(r"# prints: (.+)", text):
        assert expected in done.stdout.splitlines()
    return done.stdout


@pytest.mark.long
def test_the_blocks_of_cli(cli: CommandLine) -> None:
    assert cli("start", "--daemon", "--port", "0").returncode == 0
    said = played(run_blocks("docs/cli.md"), cli).splitlines()
    assert said[0] == "bin"
    assert said[2:7] == ["[a  b]", "[$HOME]", "HELLO", "exit code 3", "clang in /tmp"]
    assert said[7:9] == ["24 80", "clang in /tmp"]
    assert said[10:12] == ["step 1", "step 2"]
    (table,) = [number for number, line in enumerate(said) if line.startswith("ID ")]
    assert said[table].split() == ["ID", "NAME", "STATE", "STARTED", "CONTEXT", "COMMAND"]
    rows = said[table + 1 :]
    assert any("exited 3" in row and "tr a-z A-Z; exit 3" in row for row in rows)
    assert any(" ticker " in row and " running " in row for row in rows)


@pytest.mark.long
def test_the_blocks_of_the_readme(cli: CommandLine) -> None:
    said = played(run_blocks("README.md"), cli).splitlines()
    assert "hi" in said
    assert "HELLO" in said
    assert any("echo hi" in line and "exited 0" in line for line in said)
    assert "shellwire has stopped" in said


def test_no_page_has_other_blocks_to_run() -> None:
    assert [name for name in MANUAL if run_blocks(name)] == ["README.md", "docs/cli.md"]


# Python ------------------------------------------------------------------------------------------


def paste(block: Block, home: Path, **variables: str) -> str:
    """Run a program of a page where the local daemon is that of ``home``; return its stdout."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if "SHELLWIRE" not in name and not name.lower().endswith("_proxy")
    }
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", block.text],
        env={**environ, "SHELLWIRE_HOME": str(home), "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    # In this mode asyncio also reports each step over 0.1 s, which is normal on a busy machine.
    said = re.sub(r"(?m)^Executing <.* took [\d.]+ seconds\n", "", done.stderr)
    assert (done.returncode, said) == (0, ""), done
    return done.stdout


def python_under(page: str, heading: str) -> Block:
    (block,) = [each for each in Document(page).of_kind("python") if each.heading == heading]
    return block


def test_python_in_the_readme(daemon: Daemon) -> None:
    lines = paste(python_under("README.md", "From Python"), daemon.home).splitlines()
    assert lines[0].startswith("3 [")
    assert "'bin'" in lines[0]
    assert lines[0].endswith(" /usr")
    assert lines[1] == "/usr"


def test_the_own_client_in_the_readme(daemon: Daemon) -> None:
    block = python_under("README.md", "From your own client")
    printed = paste(block, daemon.home, SHELLWIRE_URL=daemon.url, SHELLWIRE_TOKEN=daemon.token)
    kinds = re.findall(r"^{'type': '(\w+)'", printed, re.MULTILINE)
    assert kinds[0] == "status"
    assert kinds[-1] == "result"
    assert "bin\\n" in printed


def test_python_with_asyncio(daemon: Daemon) -> None:
    printed = paste(python_under("docs/python.md", "With asyncio"), daemon.home)
    lines = printed.split("\n")
    assert lines[0].startswith("3 [")
    assert "'bin'" in lines[0]
    assert "stdout 3" in lines
    assert "exited" in lines
    assert "30 100" in printed
    assert "clang in /tmp" in lines


def test_python_without_asyncio(daemon: Daemon) -> None:
    lines = paste(python_under("docs/python.md", "Without asyncio"), daemon.home).split("\n")
    assert lines[:2] == ["hello", "tick"]
    assert lines[3].startswith("[('cat', 'exited'), ('while sleep")


def test_every_python_block_is_run_here_or_is_an_example() -> None:
    held = {
        ("README.md", "From Python"),
        ("README.md", "From your own client"),
        ("docs/clients.md", "In Python"),
        ("docs/python.md", "With asyncio"),
        ("docs/python.md", "Without asyncio"),
        ("SECURITY.md", "An authenticator of your own"),  # tests/server/test_authenticators.py
    }
    found = {(name, b.heading) for name in MANUAL for b in Document(name).of_kind("python")}
    assert found == held


# Agents ------------------------------------------------------------------------------------------


def test_the_agent_pages_configure_the_same_server() -> None:
    blocks = [Document(name).of_kind("json") for name in ("README.md", "docs/agents.md")]
    (readme,), (page,) = blocks
    assert json.loads(readme.text) == json.loads(page.text)


def test_from_an_ai_agent(daemon: Daemon, tmp_path: Path) -> None:
    page = Document("docs/agents.md")
    (block,) = page.of_kind("json")
    (server,) = json.loads(block.text)["mcpServers"].values()
    usual = parameters(daemon.home, tmp_path).env or {}
    # An agent finds it on its PATH, as a user's installation puts it there.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    named = StdioServerParameters(**server, cwd=tmp_path, env={**usual, "PATH": path})
    with Agent(named, tmp_path / "stderr") as agent:
        assert agent.call("run_command", command="pwd")["stdout"] == f"{tmp_path}\n"
        tools = agent.begin(agent.client.list_tools()).result(SECONDS).tools
    assert {tool.name for tool in tools} <= set(re.findall(r"`(\w+)`", page.section("Tools").text))


def test_the_skills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    agents: list[AgentName] = ["claude", "codex", "cursor", "copilot", "opencode"]
    table = Document("docs/agents.md").section("Skills").table()
    rows = {code(row["agent"]): code(row["`skill install` writes"]) for row in table}
    assert list(rows) == agents
    for each in agents:
        assert skill_for(each).path == tmp_path / rows[each].removeprefix("~/")
