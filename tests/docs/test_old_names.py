"""Names that were replaced by the field's terms do not come back, nor do modules by their old path.

Until release 0.3 CONTRIBUTING lists what each is called now.
"""

from __future__ import annotations

import ast
import importlib.util
from typing import TYPE_CHECKING

import pytest

from tests.docs.document import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Dotted paths below shellwire. server.access is not among them: another module has the name now.
MODULES = [
    "jobs.absence",
    "jobs.kept",
    "jobs.readable",
    "daemon.detach",
    "server.hub",
    "server.bulk",
    "server.bulk.patience",
    "server.bulk.pour",
    "server.bulk.wanted",
    "server.bulk.admission",
    "server.bulk.receiving",
    "server.bulk.sending",
    "server.file_lane",
    "server.file_acts",
    "server.file_worker",
    "server.render_files",
    "shell.spares",
    "shell.words",
    "process.leftovers",
    "process.send",
    "process.signals",
    "process.feed",
    "home.litter",
    "client.link",
    "client.place",
    "client.outage",
    "cli.lazily",
    "cli.program",
    "cli.console",
    "cli.follow",
    "cli.files.several",
    "cli.files.ends",
    "cli.files.where",
    "cli.files.pair",
    "cli.files.work",
    "cli.files.bar",
]

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


@pytest.mark.parametrize("module", MODULES)
def test_an_old_module_is_gone(module: str) -> None:
    try:
        found = importlib.util.find_spec(f"shellwire.{module}")
    except ModuleNotFoundError:  # its package is gone too
        found = None
    assert found is None


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
