"""Skills: where they are written, and which existing files are left alone."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, get_args

import pytest

from shellwire.agents.skill import Agent, skill_for
from shellwire.agents.table import TOOLS
from shellwire.cli import main
from shellwire.errors import SkillError
from tests.cli.command_line import CommandLine

if TYPE_CHECKING:
    from pathlib import Path

AGENTS = get_args(Agent)
PLACES = {
    "claude": "home/.claude/skills/shellwire/SKILL.md",
    "codex": "home/.agents/skills/shellwire/SKILL.md",
    "cursor": "project/.cursor/rules/shellwire.mdc",
    "copilot": "project/.github/instructions/shellwire.instructions.md",
    "opencode": "home/.config/opencode/skills/shellwire/SKILL.md",
}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home with a project in it, and work deep inside the project."""
    inside = tmp_path / "project" / "src" / "deep"
    inside.mkdir(parents=True)
    (tmp_path / "project" / ".git").mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(inside)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize("agent", AGENTS)
def test_each_agent_gets_its_format(place: Path, agent: Agent) -> None:
    skill = skill_for(agent)
    assert skill.path == place / PLACES[agent]
    assert skill.change() == "new"
    assert not skill.path.exists()
    assert [skill.install(), skill.install(), skill.change()] == ["new", "unchanged", "unchanged"]
    text = skill.path.read_text()
    _, head, body = text.split("---\n", 2)
    fields = dict(re.findall(r"(\w+): (.+)\n", head))
    # A plain YAML scalar, of a length that every agent accepts.
    assert not re.search(r": | #", fields["description"])
    assert len(fields.pop("description")) <= 1024
    assert fields == {
        "cursor": {"alwaysApply": "false"},
        "copilot": {"applyTo": "'**'"},
    }.get(agent, {"name": "shellwire"})
    assert set(re.findall(r"\b\w+_(?:command|process|input|output|processes)\b", body)) <= set(
        TOOLS
    )
    for called in re.findall(r"`shellwire (\w+)", body):
        assert called in main.commands
    assert len(text.split()) < 500  # it is read into a model's context


def test_directories_from_the_environment(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(place / "c"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place / "x"))
    assert skill_for("claude").path == place / "c/skills/shellwire/SKILL.md"
    assert skill_for("opencode").path == place / "x/opencode/skills/shellwire/SKILL.md"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")  # its specification ignores such paths
    assert skill_for("opencode").path == place / PLACES["opencode"]
    monkeypatch.chdir(place)
    assert skill_for("cursor").path == place / ".cursor/rules/shellwire.mdc"


def test_an_older_skill_is_replaced(place: Path) -> None:
    skill = skill_for("claude")
    skill.install()
    # As written by an older release.
    older = type(skill)(skill.path, older_text(skill.text))
    skill.path.unlink()
    older.install()
    assert skill.change() == "updated"
    assert skill.install() == "updated"
    assert skill.path.read_text() == skill.text
    assert [each.name for each in skill.path.parent.iterdir()] == ["SKILL.md"]


def older_text(text: str) -> str:
    """Return another text with a valid mark."""
    content = "---\nname: shellwire\n---\nonce\n"
    mark = text.splitlines()[-1]
    digest = hashlib.sha256(content.encode()).hexdigest()
    return content + re.sub("[0-9a-f]{64}", digest, mark) + "\n"


@pytest.mark.parametrize("edit", ["append", "prepend", "inside", "no mark", "foreign", "empty"])
def test_foreign_or_edited_files_are_left_alone(place: Path, edit: str) -> None:
    skill = skill_for("copilot")
    skill.install()
    text = skill.path.read_text()
    edited = {
        "append": f"{text}\nmine\n",
        "prepend": f"mine\n{text}",
        "inside": text.replace("State persists", "State is lost"),
        "no mark": text[: text.rindex("<!--")],
        "foreign": "mine\n",
        "empty": "",
    }[edit]
    skill.path.write_text(edited)
    for act in (skill.change, skill.install):
        with pytest.raises(SkillError, match="left alone"):
            act()
    assert skill.path.read_text() == edited


def test_other_file_types_are_left_alone(place: Path) -> None:
    skill = skill_for("codex")
    skill.path.mkdir(parents=True)
    with pytest.raises(SkillError, match="Is a directory"):
        skill.install()
    skill.path.rmdir()
    skill.path.symlink_to(place / "nothing")
    with pytest.raises(SkillError, match="symbolic link"):
        skill.install()
    (place / "nothing").write_text(older_text(skill.text))
    with pytest.raises(SkillError, match="symbolic link"):
        skill.install()
    (place / "home" / ".claude").write_text("")
    with pytest.raises(SkillError, match="Not a directory"):
        skill_for("claude").install()


def test_on_the_command_line(place: Path) -> None:
    cli = CommandLine(place / "daemon")
    path = place / PLACES["opencode"]
    said = cli.ok("skill", "install", "opencode", "--dry-run")
    assert said.startswith(f"would write {path}:\n\n---\nname: shellwire\n")
    assert not path.parent.exists()
    assert cli.ok("skill", "install", "opencode") == f"wrote {path}\n"
    assert said.endswith(path.read_text())
    assert cli.ok("skill", "install", "opencode") == f"{path} is up to date\n"
    path.write_text("mine")
    for more in ((), ("--dry-run",)):
        assert str(path) in cli.refused("skill", "install", "opencode", *more)
    assert path.read_text() == "mine"
    assert "'claude', 'codex'" in cli.refused("skill", "install", "emacs", code=2)
