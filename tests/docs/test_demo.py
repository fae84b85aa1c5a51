"""The demo of README: its script works, and its pictures are XML and show its session."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from tests.docs.document import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_TEXT = "{http://www.w3.org/2000/svg}text"
_PICTURES = ("demo-light.svg", "demo-dark.svg")


def shown(file: Path) -> list[str]:
    """Return the lines of a picture."""
    root = ElementTree.parse(file).getroot()
    height = float(root.attrib["height"])
    texts = list(root.iter(_TEXT))
    assert all(0 < float(each.attrib["y"]) < height for each in texts)
    return ["".join(each.itertext()) for each in texts]


def typed() -> list[str]:
    """Return the lines that the script types, except keys that are not shown."""
    script = (ROOT / "docs" / "demo.py").read_text(encoding="utf-8")
    block = script[script.index("SESSION = [") : script.index("\n]\n")]
    found = re.findall(r"^    \((\"(?:[^\"\\]|\\.)*\"),", block, re.MULTILINE)
    lines = [each[1:-1].replace('\\"', '"') for each in found]
    assert "shellwire attach work" in lines
    return [line for line in lines if line != "~."]


def assert_the_session(lines: list[str]) -> None:
    for each in typed():
        assert any(line.endswith(f"$ {each}") for line in lines), each
    for each in ("clang in /usr", "exit code 3", "step 1", "step 5"):
        assert each in lines


@pytest.mark.parametrize("name", _PICTURES)
def test_the_pictures(name: str) -> None:
    assert_the_session(shown(ROOT / "docs" / name))


@pytest.mark.long
def test_the_script(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, str(ROOT / "docs" / "demo.py"), str(tmp_path)], check=True, timeout=240
    )
    light, dark = (shown(tmp_path / name) for name in _PICTURES)
    assert light == dark
    assert_the_session(light)
