"""The tree and the dependencies in CONTRIBUTING.md are the real ones."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

from tests.docs.document import ROOT, Document, code

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTRIBUTING = Document("CONTRIBUTING.md")


def drawn() -> set[str]:
    """Return the paths that the tree shows; paths of directories end with a slash."""
    (block,) = [each for each in CONTRIBUTING.of_kind("text") if "pyproject.toml" in each.text]
    found: set[str] = set()
    above = ""
    for line in block.text.splitlines():
        name = line.split()[0]
        if line.startswith("  "):
            found.add(above + name)
        else:
            above = name
            found.add(name)
    return found


def in_git(*new: str) -> set[str]:
    """Return the directories in git, and the files at the top, but those with a dot in front.

    With ``--others`` also what is new and not ignored.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--exclude-standard", *new],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found: set[str] = set()
    for name in listed.rstrip("\0").split("\0"):
        path = PurePosixPath(name)
        if path.parts[0].startswith(".") or not (ROOT / path).exists():
            continue
        found.update(f"{parent}/" for parent in path.parents if parent.name)
        if len(path.parts) == 1:
            found.add(name)
    return found


@pytest.mark.needs("git")
def test_the_tree() -> None:
    assert in_git() - drawn() == set()
    # A listed path may be uncommitted still; untracked files need not be listed.
    assert drawn() - in_git("--others") == set()


def requirements(lines: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9.-]", line)[0] for line in lines}


def test_every_dependency_has_a_reason() -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    runtime, development = CONTRIBUTING.section("Dependencies").tables
    assert {code(row["package"]) for row in runtime} == requirements(project["dependencies"])
    extra = project["optional-dependencies"]["dev"]
    assert {code(row["package"]) for row in development} == requirements(extra)
    for row in (*runtime, *development):
        assert row["why"]


def test_the_files_that_it_names() -> None:
    for name in re.findall(r"`((?:shellwire|tests)/[\w./]+)`", CONTRIBUTING.text):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("heading", ["A command's way through the code", "An output byte's way"])
def test_the_functions_that_it_names(heading: str) -> None:
    (table,) = CONTRIBUTING.section(heading).tables
    assert [row["step"] for row in table] == [str(1 + number) for number in range(len(table))]
    for row in table:
        tree = ast.parse((ROOT / code(row["file"])).read_text())
        assert code(row["function"]) in set(_functions(tree)), row


def _functions(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{node.name}.{each.name}"
