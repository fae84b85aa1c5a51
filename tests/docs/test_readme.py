"""What the README shows works, and what it lists is what there is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from shellwire.cli import main
from shellwire.cli.start import run_command, start_command
from shellwire.home.paths import Home
from tests.docs.document import ROOT, Block, Document, code

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.live import Daemon

README = Document("README.md")
SECONDS = 20
MOST_LINES = 20

Done = subprocess.CompletedProcess[str]


def only(kind: str) -> Block:
    (block,) = README.of_kind(kind)
    return block


# The two clients ---------------------------------------------------------------------------------


class Program:
    """One of the clients: its text from the README, in a file of its own."""

    def __init__(self, daemon: Daemon, *command: str) -> None:
        self._daemon = daemon
        self._command = command

    def __call__(self, text: str, *, token: str | None = None) -> Done:
        """Have it run ``text`` in the daemon's shell."""
        environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environ["SHELLWIRE_URL"] = self._daemon.url
        environ["SHELLWIRE_TOKEN"] = token or self._daemon.token
        return subprocess.run(
            [*self._command, text],
            env=environ,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


@pytest.fixture
def python_client(daemon: Daemon, tmp_path: Path) -> Program:
    file = tmp_path / "run.py"
    file.write_text(only("python").text)
    return Program(daemon, sys.executable, str(file))


@pytest.fixture
def node_client(daemon: Daemon, tmp_path: Path) -> Program:
    node = shutil.which("node")
    assert node, "there is no node on PATH: the README's JavaScript client can't be tested"
    packages = ROOT / "tests" / "node" / "node_modules"
    assert (packages / "ws").is_dir(), f"no package ws in {packages}: run npm install beside it"
    (tmp_path / "node_modules").symlink_to(packages)
    file = tmp_path / "run.mjs"
    file.write_text(only("javascript").text)
    return Program(daemon, node, str(file))


@pytest.fixture(params=["python_client", "node_client"])
def run(request: pytest.FixtureRequest) -> Iterator[Program]:
    program: Program = request.getfixturevalue(request.param)
    yield program
    program("cd /")  # its client_id, and so its context, is that of the next test


def test_a_client_streams_and_exits_like_the_command(run: Program) -> None:
    done = run("echo out; echo err >&2; cd /usr; export GREETING=hé; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    done = run('pwd; echo "$GREETING"')
    assert (done.returncode, done.stdout, done.stderr) == (0, "/usr\nhé\n", "")


def test_a_client_takes_much_output(run: Program) -> None:
    done = run("seq 200000")
    assert done.stdout == "".join(f"{number}\n" for number in range(1, 200_001))


def test_a_client_says_what_is_wrong(run: Program) -> None:
    done = run("true", token="wrong")
    assert done.returncode == 1
    assert done.stderr == "INVALID_TOKEN: the token is missing or wrong\n"


@pytest.mark.parametrize(("kind", "name"), [("python", "run.py"), ("javascript", "run.mjs")])
def test_an_example_is_the_same_and_short(kind: str, name: str) -> None:
    text = only(kind).text
    assert (ROOT / "examples" / name).read_text(encoding="utf-8") == text + "\n"
    assert len(text.splitlines()) <= MOST_LINES


# Lists -------------------------------------------------------------------------------------------


def shown_default(option: click.Option) -> str:
    """Return how the table shows an option's default."""
    if option.multiple:
        return "none"
    if isinstance(option.default, bool):
        return "on" if option.default else "off"
    return "not set" if option.default is None else f"`{option.default}`"


def unit_of(option: click.Option) -> str:
    """Return the unit that the option's help begins with."""
    word = (option.help or "").split()[0].lower()
    return word if word in ("seconds", "bytes") else ""


def test_the_options_of_start() -> None:
    (table,) = README.section("Options of start").tables
    documented = [
        (code(row["option"]), code(row["variable"]), row["default"], row["unit"]) for row in table
    ]
    options = [each for each in start_command.params if isinstance(each, click.Option)]
    assert documented == [
        (each.opts[0], each.envvar, shown_default(each), unit_of(each)) for each in options
    ]


def test_run_takes_them_too_but_daemon() -> None:
    names = [each.name for each in start_command.params]
    assert sorted(each.name or "" for each in run_command.params) == sorted(
        name for name in names if name and name not in ("daemon", "detached")
    )


def commands(group: click.Group, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}"


def test_the_commands() -> None:
    table, exits = README.section("Commands").tables
    assert {code(row["command"]) for row in table} == set(commands(main, "shellwire"))
    assert [row["exit code"] for row in exits] == ["0", "1", "2", "3"]


def test_the_files(tmp_path: Path) -> None:
    home = Home(tmp_path)
    files = {getattr(home, name).name for name in vars(Home) if name.endswith("_file")}
    assert {code(row["file"]) for row in README.section("Files").table()} == files


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "PROTOCOL.md"])
def test_links_and_lines(name: str) -> None:
    document = Document(name)
    for target in document.links():
        assert (ROOT / target).exists(), target
    for line in document.text.splitlines():
        assert line == line.rstrip()
        assert len(line) <= 100 or line.startswith(("|", "<", ">", "{", " ")), line
