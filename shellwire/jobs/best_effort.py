"""Run a step whose failure is logged and must not stop the steps after it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

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
