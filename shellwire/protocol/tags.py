"""Derive the ``type`` of a message from its class name."""

import re


def snake_case(name: str) -> str:
    """Return ``cancel_command`` for ``CancelCommand``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
