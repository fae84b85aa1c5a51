"""The root of all errors of shellwire."""

from __future__ import annotations


class ShellwireError(Exception):
    """Base class of all errors of shellwire."""
