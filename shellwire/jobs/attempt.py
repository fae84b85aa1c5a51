"""Steps of a job's ending, each of which is taken whatever becomes of the others."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

T = TypeVar("T")


def attempt(failure: str, step: Callable[[], T]) -> T | None:
    """Return what ``step`` returns; if it raises, log that as ``failure`` and return None.

    For what must not keep a job from ending: a fault would leave it alive for ever.
    """
    try:
        return step()
    except Exception:
        log.exception("%s", failure)
        return None
