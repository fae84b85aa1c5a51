"""The options that copies of a file in both directions share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class CopyOptions(NamedTuple):
    """How to copy a file: as ``Files.upload`` and ``Files.download`` say."""

    compress: bool
    preserve: bool
    progress: Callable[[int, int], None] | None
