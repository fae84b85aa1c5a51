"""Each error is one line, and its exit code depends on its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.command_line import CommandLine


ALL = [
    ("exec", "true"),
    ("shell",),
    ("attach", "a"),
    ("attach",),
    ("jobs",),
    ("kill", "a"),
    ("logs", "a"),
    ("whoami",),
]


@pytest.mark.parametrize("words", ALL, ids="-".join)
def test_no_daemon(cli: CommandLine, words: tuple[str, ...]) -> None:
    line = cli.refused(*words, code=255)
    assert "is not running" in line
    assert "start --daemon" in line
    line = cli.refused(words[0], "-H", "far", *words[1:], code=255)
    assert "no host 'far' is saved" in line


@pytest.mark.parametrize(
    ("words", "code"), [(("attach",), 255), (("kill",), 1), (("logs",), 1), (("logs", "-f"), 1)]
)
def test_no_such_job(here: CommandLine, words: tuple[str, ...], code: int) -> None:
    assert here.refused(*words, "nothing", code=code) == "Error: no job has the id nothing\n"


def test_an_address_without_a_daemon(cli: CommandLine) -> None:
    done = cli("exec", "true", env={"SHELLWIRE_URL": "ws://127.0.0.1:1"})
    assert done.returncode == 255
    assert done.stderr == "Error: ws://127.0.0.1:1/ws can't be reached: Connection refused\n"
    done = cli("exec", "true", env={"SHELLWIRE_URL": "nonsense"})
    assert (done.returncode, done.stderr.count("\n")) == (255, 1)


@pytest.mark.parametrize(
    "words", [(), ("-e", "A", "true"), ("--timeout", "soon", "true"), ("--nonsense",)]
)
def test_usage(cli: CommandLine, words: tuple[str, ...]) -> None:
    cli.refused("exec", *words, code=2)
