"""No garbage collection during imports: what they create stays.

Otherwise Python's collector visits all these objects several times while modules are imported, and
once more at the exit: a sixth of the processor time of a short command.
"""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_was_enabled = gc.isenabled()
gc.disable()


def restore() -> None:
    """Enable collection again if it was enabled before this module was imported."""
    if _was_enabled:
        gc.enable()


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Disable collection for a block of imports. No later collection visits what there is then."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
