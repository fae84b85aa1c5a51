"""The short example clients, and the length of all."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.docs.document import ROOT, Document
from tests.docs.example import made

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live import Daemon


PAGE = Document("docs/clients.md")


MOST_LINES = {"hello": 20, "run": 40, "page": 70}


@pytest.mark.parametrize(
    "kind",
    [
        "python",
        "javascript",
        pytest.param("shell", marks=pytest.mark.needs("bash", "websocat", "jq")),
    ],
)
def test_the_short_clients(kind: str, daemon: Daemon, tmp_path: Path) -> None:
    hello = made(kind, "hello", tmp_path)
    if kind == "python":
        assert hello(":").stderr == "set SHELLWIRE_URL\n"
    hello.calls(daemon)
    done = hello("cd /usr; echo out; echo err >&2; export A=é")
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "err\n")
    done = hello("echo", '"$A";', "cd", "/;", "exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "é\n", "")
    for name in ("KILL", "TERM"):  # a shell has 128 + n for signal n
        done = hello(f"kill -{name} $$")
        assert (done.returncode, done.stderr) == (128 + signal.Signals[f"SIG{name}"], "")
    refused = hello(":", SHELLWIRE_TOKEN="wrong")
    assert refused.returncode == 1
    assert "INVALID_TOKEN" in refused.stderr


@pytest.mark.parametrize(("kind", "name"), [("python", "hello.py"), ("javascript", "hello.mjs")])
def test_the_page_shows_them(kind: str, name: str) -> None:
    (block,) = PAGE.of_kind(kind)
    assert (ROOT / "examples" / name).read_text(encoding="utf-8") == block.text + "\n"


def test_they_are_short() -> None:
    for file in (ROOT / "examples").glob("*.*"):
        assert len(file.read_text(encoding="utf-8").splitlines()) <= MOST_LINES[file.stem], file
