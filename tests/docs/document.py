"""Reading our Markdown: sections, tables and fenced blocks, with the lines that they stand on."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

MANUAL = [
    "README.md",
    "SECURITY.md",
    *sorted(f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md")),
]
"""The pages for users."""

PAGES = [*MANUAL, "CONTRIBUTING.md", "CHANGELOG.md", "PROTOCOL.md", "bench/README.md"]
"""All our pages."""

_HEADING = re.compile(r"(#{1,6}) (.+)")
_FENCE = re.compile(r"```(.*)")
_CELL = re.compile(r"(?<!\\)\|")

Row = dict[str, str]


@dataclass(frozen=True)
class Block:
    """A fenced block: its info string, its text, the heading above it, and its first line."""

    info: str
    text: str
    heading: str
    line: int

    @property
    def kind(self) -> str:
        """The first word of the info string."""
        return self.info.partition(" ")[0]

    @property
    def name(self) -> str:
        """The name of a test about the block."""
        return f"line {self.line}, {self.heading}"


@dataclass(frozen=True)
class Section:
    """A heading, and the text up to the next heading of any level."""

    level: int
    title: str
    text: str

    @property
    def tables(self) -> list[list[Row]]:
        """Its tables; each row by the titles of the columns."""
        found: list[list[Row]] = []
        for paragraph in re.split(r"\n\s*\n", _without_fences(self.text)):
            lines = [line for line in paragraph.splitlines() if line.startswith("|")]
            if len(lines) > 2:
                titles, _, *rows = map(_cells, lines)
                found.append([dict(zip(titles, row, strict=True)) for row in rows])
        return found

    def table(self) -> list[Row]:
        """Return its only table."""
        (table,) = self.tables
        return table


class Document:
    """One of our Markdown files."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = (ROOT / name).read_text(encoding="utf-8")
        self.sections: list[Section] = []
        self.blocks: list[Block] = []
        self._parse()

    def _parse(self) -> None:
        level, title, body = 0, "", list[str]()
        info: str | None = None
        inside: list[str] = []
        for number, line in enumerate(self.text.splitlines(), 1):
            fence, heading = _FENCE.fullmatch(line), _HEADING.fullmatch(line)
            if info is not None and fence:
                first = number - len(inside)
                self.blocks.append(Block(info, "\n".join(inside), title, first))
                info, inside = None, []
            elif info is not None:
                inside.append(line)
            elif fence:
                info = fence[1].strip()
            elif heading:
                self.sections.append(Section(level, title, "\n".join(body)))
                level, title, body = len(heading[1]), heading[2].strip(), []
                continue
            body.append(line)
        assert info is None, f"{self.name}: a fenced block does not end"
        self.sections.append(Section(level, title, "\n".join(body)))

    def section(self, title: str) -> Section:
        """Return the only section with this title."""
        (found,) = [section for section in self.sections if section.title == title]
        return found

    def below(self, title: str) -> list[Section]:
        """Return the sections under the one with this title, at any depth."""
        start = self.sections.index(self.section(title))
        found: list[Section] = []
        for section in self.sections[start + 1 :]:
            if section.level <= self.sections[start].level:
                break
            found.append(section)
        return found

    def links(self) -> list[tuple[str, str]]:
        """Return its links within the repository: each path from the root, and anchor or ''."""
        text = _without_fences(self.text)
        found: list[tuple[str, str]] = []
        for target in re.findall(r"\]\((?!https?://)([^)]+)\)|(?:src|srcset)=\"([^\"]+)\"", text):
            path, _, anchor = "".join(target).partition("#")
            if path:
                path = os.path.normpath((Path(self.name).parent / path).as_posix())
            found.append((path or self.name, anchor))
        return found

    def anchors(self) -> set[str]:
        """Return the anchors of its headings, as GitHub makes them."""
        titles = [
            re.sub(r"[^\w\- ]", "", section.title.lower()).replace(" ", "-")
            for section in self.sections[1:]
        ]
        found = set(titles)
        for title in {title for title in titles if titles.count(title) > 1}:
            found.update(f"{title}-{number}" for number in range(1, titles.count(title)))
        return found

    def of_kind(self, kind: str) -> list[Block]:
        """Return the fenced blocks whose info string begins with ``kind``."""
        return [block for block in self.blocks if block.kind == kind]


def code(cell: str) -> str:
    """Return the first thing in backticks of a table's cell."""
    match = re.search(r"`([^`]+)`", cell)
    assert match, f"nothing in backticks: {cell}"
    return match[1]


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in _CELL.split(line)[1:-1]]


def _without_fences(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
