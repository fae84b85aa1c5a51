"""Every link within the repository resolves, anchors included, and no line is too long."""

from __future__ import annotations

import pytest

from tests.docs.document import MANUAL, PAGES, ROOT, Document


@pytest.mark.parametrize("name", PAGES)
def test_links(name: str) -> None:
    for path, anchor in Document(name).links():
        assert (ROOT / path).exists(), path
        if anchor:
            assert anchor in Document(path).anchors(), f"{path}#{anchor}"


@pytest.mark.parametrize("name", PAGES)
def test_lines(name: str) -> None:
    for line in Document(name).text.splitlines():
        assert line == line.rstrip()
        assert len(line) <= 100 or line.startswith(("|", "<", ">", "{", " ")), line


def test_every_page_is_found_from_the_readme() -> None:
    linked = {path for path, _ in Document("README.md").links()}
    reached = linked | {path for name in linked & {*MANUAL} for path, _ in Document(name).links()}
    assert {*PAGES} <= reached
