"""Whose job a process comes from, when many jobs have run since."""

from __future__ import annotations

import os
from typing import Any

from shellwire.jobs.lineage import MAX_TAGS, Lineage
from shellwire.jobs.model import ClientKey, JobKey


class _Orphans:
    def is_tracked(self, tag: bytes) -> bool:
        return tag == b"living"

    def tag_of(self, _process: object) -> bytes:
        return b"living"


def test_a_living_jobs_tag_is_never_forgotten() -> None:
    orphans: Any = _Orphans()
    lineage = Lineage(orphans)
    lineage.started(JobKey(ClientKey("ann", "c"), "1"), b"living")
    for number in range(MAX_TAGS + 10):
        lineage.started(JobKey(ClientKey("bob", "c"), "2"), b"%d" % number)
    assert lineage.principal_of(os.getppid()) == "ann"
    assert len(lineage._principals) == MAX_TAGS
