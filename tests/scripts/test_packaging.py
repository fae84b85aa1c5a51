"""The contents of the sdist and the wheel, built by the backend itself, without a network."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import shellwire

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist and the wheel; return their directory."""
    directory = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", directory],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
    )
    return directory


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    # The file name says: any platform, no compiled code.
    return zipfile.ZipFile(built / f"shellwire-{shellwire.__version__}-py3-none-any.whl")


def in_dist_info(wheel: zipfile.ZipFile, name: str) -> str:
    return wheel.read(f"shellwire-{shellwire.__version__}.dist-info/{name}").decode()


def test_the_wheel_holds_exactly_the_package(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    package = CHECKOUT / "shellwire"
    expected = {
        file.relative_to(CHECKOUT).as_posix()
        for file in package.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert names == expected
    assert {"shellwire/py.typed", "shellwire/protocol/schema.json"} <= names
    assert "Root-Is-Purelib: true" in in_dist_info(wheel, "WHEEL")


def test_the_wheel_installs_both_commands(wheel: zipfile.ZipFile) -> None:
    text = in_dist_info(wheel, "entry_points.txt")
    assert re.findall(r"^(\w+) = (.+)$", text, re.MULTILINE) == [
        ("shellwire", "shellwire.cli:main"),
        ("sw", "shellwire.cli:main"),
    ]


def test_the_grammar_is_an_extra_too(wheel: zipfile.ZipFile) -> None:
    metadata = Parser().parsestr(in_dist_info(wheel, "METADATA"))
    assert metadata["Version"] == shellwire.__version__
    required = metadata.get_all("Requires-Dist") or []
    for name in ("tree-sitter", "tree-sitter-bash"):
        always, extra = [each for each in required if re.match(rf"{name}\W*>=", each)]
        assert "platform_machine == 'aarch64'" in always
        assert extra.endswith("; extra == 'rewrite'")


def test_the_sdist_holds_all_files_for_development(built: Path) -> None:
    root = f"shellwire-{shellwire.__version__}"
    with tarfile.open(built / f"{root}.tar.gz") as sdist:
        members = {member.name.removeprefix(f"{root}/"): member for member in sdist}
    for name in ("README.md", "PROTOCOL.md", "LICENSE", "pyproject.toml", "tests/live.py"):
        assert name in members, name
    for name in ("docs/cli.md", "docs/demo-light.svg", "docs/demo-dark.svg", "docs/demo.py"):
        assert name in members, name  # README links to them
    for name in ("run.sh", "test.sh"):
        assert members[name].mode & 0o111, name
    assert "shellwire/protocol/schema.json" in members
    assert not [name for name in members if re.search(r"^\.ci|/node_modules/|__pycache__", name)]
