"""Old names and module paths are gone, and their successors in CONTRIBUTING's list exist."""

from __future__ import annotations

import ast
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from tests.docs.document import ROOT, Document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTRIBUTING = Document("CONTRIBUTING.md")

IDENTIFIERS = {
    "Absence",
    "_abandon",
    "Kept",
    "Readable",
    "Idleness",
    "Poll",
    "Question",
    "Answers",
    "Feed",
    "Spares",
    "foresee",
    "Hub",
    "Gate",
    "roomy",
    "owed",
    "MAX_OWED",
    "_refuse_a_debtor",
    "silenced",
    "mute",
    "hurry",
    "lose",
    "attend",
}

# A common word: Viewer's method and the function of errors, not every variable.
FUNCTIONS = {"told"}


def renamed() -> list[tuple[str, str]]:
    """Return the old and the new name in each line of the list in CONTRIBUTING."""
    (block,) = [each for each in CONTRIBUTING.of_kind("text") if each.heading == "Old names"]
    pairs = [line.split(" → ") for line in block.text.splitlines()]
    return [(old, new) for old, new in pairs]


def exists(name: str) -> bool:
    """Whether a dotted name below ``shellwire`` is a module, or an attribute in one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(["shellwire", *parts[:count]]))
        except ModuleNotFoundError:
            continue
        for each in parts[count:]:
            found = getattr(found, each, None)
        return found is not None
    return False


@pytest.mark.parametrize(("old", "new"), renamed())
def test_an_old_name_is_gone(old: str, new: str) -> None:
    assert not exists(old)
    assert exists(new)


@pytest.mark.parametrize("room", ["shellwire", "tests", "bench"])
def test_an_old_name_is_used_nowhere(room: str) -> None:
    files = [path for path in (ROOT / room).rglob("*.py") if "node_modules" not in path.parts]
    assert files
    assert [each for path in files for each in _uses(path, is_ours=room == "shellwire")] == []


def _uses(path: Path, *, is_ours: bool) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        for name in _names(node):
            if name in IDENTIFIERS or (is_ours and name in FUNCTIONS and _is_function(node)):
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', '?')}: {name}"


def _is_function(node: ast.AST) -> bool:
    """Whether a node defines or imports what may be a function."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.alias)


def _names(node: ast.AST) -> Iterator[str]:
    """Yield the identifiers that a node uses or defines."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
            yield name
        case ast.alias(name=name, asname=asname):
            yield from name.split(".")
            yield asname or name
        case ast.keyword(arg=str(name)):
            yield name
        case ast.ImportFrom(module=str(name)):
            yield from name.split(".")


@pytest.mark.parametrize(
    "line",
    [
        "class Hub: pass",
        "def foresee(): pass",
        "async def f(): x.hurry()",
        "from a import Spares",
        "from a import b as Poll",
        "import a.Feed.b",
        "f(owed=1)",
        "lambda mute: 0",
        "MAX_OWED = 1",
        "def told(): pass",
    ],
)
def test_it_would_be_found(tmp_path: Path, line: str) -> None:
    file = tmp_path / "file.py"
    file.write_text(line)
    nodes = list(ast.walk(ast.parse(file.read_bytes())))
    assert (IDENTIFIERS | FUNCTIONS) & {name for node in nodes for name in _names(node)}
