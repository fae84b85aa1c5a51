"""``A && B &``: bash runs a corpus before and after rewriting; and the cases left unchanged."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shellwire.shell import rewrite as module
from shellwire.shell.rewrite import rewrite
from tests.live import PATIENCE

_CORPUS = Path(__file__).with_name("rewrite_corpus.txt").read_text().split("\n%%\n")
_COMMANDS = _CORPUS[0].split("\n", 2)[2:] + _CORPUS[1:]
_BASH = shutil.which("bash") or "bash"


def _run(command: str, directory: Path) -> tuple[int, bytes, bytes]:
    directory.mkdir()
    done = subprocess.run(
        [_BASH, "-c", command],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    # bash prefixes a syntax error with the line that it could not parse.
    return done.returncode, done.stdout, re.sub(rb"bash: -c: .*\n", b"", done.stderr)


def test_the_corpus_is_large_enough() -> None:
    assert len(_COMMANDS) >= 200


@pytest.mark.parametrize("command", _COMMANDS)
def test_bash_runs_both_alike(command: str, tmp_path: Path) -> None:
    after = rewrite(command.encode()).decode()
    differs, rewritten = command.startswith("# differs"), command.startswith("# rewritten")
    assert (after != command) == (differs or rewritten)
    assert after.count("\n") == command.count("\n")
    before_result = _run(command, tmp_path / "before")
    after_result = _run(after, tmp_path / "after")
    assert (before_result != after_result) == differs


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("A && B &", "A && { B & };"),
        ("A||B&", "A||{ B& };"),
        ("a && b && c &", "a && b && { c & };"),
        ("a && b 2>&1 >f & c", "a && { b 2>&1 >f & }; c"),
        ("a && b | c &", "a && { b | c & };"),
        ("a && b & c && d &", "a && { b & }; c && { d & };"),
        ("a\nb && c &\nd", "a\nb && { c & };\nd"),
    ],
)
def test_the_rewritten_text(command: str, expected: str) -> None:
    assert rewrite(command.encode()) == expected.encode()


@given(st.binary(max_size=200))
def test_any_bytes_are_accepted(command: bytes) -> None:
    after = rewrite(command)
    assert after == command or b"{ " in after


def test_the_grammar_is_loaded_on_first_use() -> None:
    """Use a new process, for in this one the grammar is loaded already."""
    code = (
        "import sys; from shellwire.shell.rewrite import rewrite;"
        "[rewrite(c) for c in (b'a && b', b'a &', b'a >&2 && b', b'a &>f || b', b'x |& y && z')];"
        "print('tree_sitter' in sys.modules); rewrite(b'a && b &');"
        "print('tree_sitter' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_without_the_grammar_a_command_is_unchanged() -> None:
    code = (
        "import sys; sys.modules['tree_sitter'] = None;"
        "from shellwire.shell.rewrite import rewrite; print(rewrite(b'a && b &').decode())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "a && b &\n"


def test_the_grammar_is_available() -> None:
    assert module.is_available()
