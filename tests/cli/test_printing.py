"""Text from elsewhere is printed escaped, by one module."""

from __future__ import annotations

import ast
from pathlib import Path

import shellwire.cli

CLI = Path(shellwire.cli.__file__).parent
OWN_WORDS = {
    "completion.py",  # click's script for the shell
    "files/progress.py",  # the progress bar: it escapes the name in it itself
    "printing.py",
    "skill.py",  # prints our own text of many lines
}


def _prints(call: ast.Call) -> bool:
    function = call.func
    if isinstance(function, ast.Name):
        return function.id == "print"
    return isinstance(function, ast.Attribute) and function.attr in ("echo", "secho")


def _is_ours(node: ast.expr) -> bool:
    """Whether an argument consists of literals in the source and our version only."""
    if isinstance(node, ast.JoinedStr):
        return all(map(_is_ours, node.values))
    if isinstance(node, ast.FormattedValue):
        return isinstance(node.value, ast.Name) and node.value.id == "__version__"
    return isinstance(node, ast.Constant)


def test_text_from_elsewhere_is_printed_by_one_module() -> None:
    found = [
        f"{path.relative_to(CLI)}:{call.lineno}"
        for path in sorted(CLI.rglob("*.py"))
        if str(path.relative_to(CLI)) not in OWN_WORDS
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and _prints(call) and not all(map(_is_ours, call.args))
    ]
    assert found == []
