"""Installs the skill or rules file of an agent, in the place where that agent looks for it.

Its last line is a mark with the SHA-256 of everything above it. A file without a valid mark was
written or edited by somebody else, and is left alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shellwire.agents.guide import GUIDE
from shellwire.errors import SkillError

Agent = Literal["claude", "codex", "cursor", "copilot", "opencode"]
Change = Literal["new", "updated", "unchanged"]

_DESCRIPTION = (
    "Run commands, servers and terminals with shellwire. Its shell keeps state between commands,"
    " and its processes keep running in the background. Use it when the tools run_command and"
    " start_process are available, or when a process must outlive a command."
)
_HEADS: dict[str, str] = {
    "skill": f"name: shellwire\ndescription: {_DESCRIPTION}",
    # Without globs and with alwaysApply false, Cursor's agent selects it by its description.
    "rule": f"description: {_DESCRIPTION}\nalwaysApply: false",
    "instructions": f"description: {_DESCRIPTION}\napplyTo: '**'",
}
_BODY = f"""
# shellwire

{GUIDE}
These are the tools of the MCP server `shellwire mcp`, which starts the daemon if none runs. Without
them the command line does the same: `shellwire start --daemon` once, then
`shellwire exec -s NAME 'cd src && make'` in the context NAME (without `-s` nothing carries over),
`shellwire exec -s NAME 'server >server.log 2>&1 &'`, `shellwire jobs`, `shellwire logs ID` and
`shellwire kill ID`.
"""
_MARK = re.compile(
    rb"(?P<content>.*)<!-- Written by `shellwire skill install`; it replaces this file as long as"
    rb" the SHA-256 of what stands above is (?P<hash>[0-9a-f]{64}) -->\n",
    re.DOTALL,
)


@dataclass(frozen=True)
class Skill:
    """The file to install: where, and its text."""

    path: Path
    text: str

    def change(self) -> Change:
        """Return what ``install`` would do. Raises SkillError if the file there is not ours."""
        try:
            found = self.path.read_bytes()
        except FileNotFoundError:
            if self.path.is_symlink():
                raise SkillError(f"{self.path} is a broken symbolic link") from None
            return "new"
        except OSError as error:
            raise SkillError(f"can't read {self.path}: {error.strerror}") from error
        if found == self.text.encode():
            return "unchanged"
        mark = _MARK.fullmatch(found)
        if mark is None:
            raise SkillError(f"{self.path} was not written by shellwire: left alone")
        if hashlib.sha256(mark["content"]).hexdigest().encode() != mark["hash"]:
            raise SkillError(
                f"{self.path} has been edited since shellwire wrote it: left alone; move it away"
                " for a new one"
            )
        if self.path.is_symlink():
            raise SkillError(f"{self.path} is a symbolic link: left alone")
        return "updated"

    def install(self) -> Change:
        """Write the file unless it is up to date. Raises SkillError."""
        change = self.change()
        try:
            if change == "new":
                self.path.parent.mkdir(parents=True, exist_ok=True)
                _create(self.path, self.text)
            elif change == "updated":
                _replace(self.path, self.text)
        except FileExistsError as error:
            raise SkillError(f"{error.filename} is in the way: left alone") from error
        except OSError as error:
            raise SkillError(f"can't write {self.path}: {error.strerror}") from error
        return change


def skill_for(agent: Agent) -> Skill:
    """Return the skill for an agent. Raises SkillError if its directory can't be determined.

    Claude, Codex and OpenCode read it from the user's home, which is right: the daemon is the
    user's too. Cursor and Copilot read it from the project: the nearest parent directory with
    ``.git``, else the current directory.
    """
    if agent == "claude":
        root = _named("CLAUDE_CONFIG_DIR") or _home() / ".claude"
        return _skill(root / "skills")
    if agent == "codex":
        return _skill(_home() / ".agents" / "skills")
    if agent == "opencode":
        root = _named("XDG_CONFIG_HOME") or _home() / ".config"
        return _skill(root / "opencode" / "skills")
    if agent == "cursor":
        return Skill(_project() / ".cursor" / "rules" / "shellwire.mdc", _text("rule"))
    path = _project() / ".github" / "instructions" / "shellwire.instructions.md"
    return Skill(path, _text("instructions"))


def _skill(directory: Path) -> Skill:
    # agentskills.io: the directory has the skill's name.
    return Skill(directory / "shellwire" / "SKILL.md", _text("skill"))


def _text(kind: str) -> str:
    content = f"---\n{_HEADS[kind]}\n---\n{_BODY}\n"
    mark = hashlib.sha256(content.encode()).hexdigest()
    return (
        f"{content}<!-- Written by `shellwire skill install`; it replaces this file as long as the"
        f" SHA-256 of what stands above is {mark} -->\n"
    )


def _home() -> Path:
    home = Path(os.path.expanduser("~"))
    if not home.is_absolute():
        raise SkillError("no home directory is known: set HOME")
    return home


def _named(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value and os.path.isabs(value) else None


def _project() -> Path:
    try:
        here = Path.cwd()
    except FileNotFoundError as error:
        raise SkillError("this directory has been removed") from error
    for directory in (here, *here.parents):
        if (directory / ".git").exists():
            return directory
    return here


def _create(path: Path, text: str) -> None:
    with path.open("xb") as file:  # fails if the file was created meanwhile
        try:
            file.write(text.encode())
            file.flush()
        except BaseException:
            path.unlink()
            raise


def _replace(path: Path, text: str) -> None:
    sibling = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _create(sibling, text)
        sibling.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            sibling.unlink()
        raise
