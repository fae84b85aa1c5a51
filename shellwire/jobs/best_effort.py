"""Run a step whose failure is logged and must not stop the steps after it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

log = logging.getLogger(__name__)

T = TypeVar("T")


def best_effort(failure: str, step: Callable[[], T]) -> T | None:
    """Return what ``step`` returns; if it raises, log ``failure`` with the traceback, return None.

    For the steps of a job's ending: an exception that escapes would leave the job running for ever.
    """
    try:
        return step()
    except Exception:
        log.exception("%s", failure)
        return None


def each_best_effort(failure: str, steps: Iterable[Callable[[], object]]) -> None:
    """Run each step; if one raises, log ``failure`` with the traceback and go on with the next."""
    for step in steps:
        try:
            step()
        except Exception:
            log.exception("%s", failure)
