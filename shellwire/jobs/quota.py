"""What one principal may use of what all share, and what it may see of others' jobs."""

from __future__ import annotations

from dataclasses import dataclass

from shellwire.principals import OWNER


@dataclass(frozen=True, slots=True)
class Quota:
    """The limits of one principal. The owner has none."""

    sessions: int = 5
    """Sessions that run at a time."""
    commands: int = 4
    """Commands that run at a time; further ones wait."""
    queued: int = 16
    """Commands that wait at a time."""
    processes: int | None = None
    """Commands and sessions together that run at a time; None: no further limit."""


@dataclass(frozen=True, slots=True)
class Share:
    """For whom a job takes a slot. ``quota`` is None for the owner."""

    principal: str = OWNER
    quota: Quota | None = None
    sees_all: bool = True
    """Whether an error may describe the jobs of other principals."""


OWNERS_SHARE = Share()
"""No limits: the owner's share."""
