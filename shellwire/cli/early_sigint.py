"""Ctrl-C during the imports: the process dies of SIGINT, without a traceback.

Importing this module installs the system's handler; ``restore`` gives Python its own back.
"""

from __future__ import annotations

import signal

_handler_before = signal.getsignal(signal.SIGINT)


def restore() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again: from here on it is caught."""
    if _handler_before is signal.default_int_handler:
        _set(signal.default_int_handler)


def _set(handler: object) -> None:
    try:
        signal.signal(signal.SIGINT, handler)  # type: ignore[arg-type]
    except ValueError:
        return  # only the main thread can set handlers, and it did not import this


if _handler_before is signal.default_int_handler:
    _set(signal.SIG_DFL)
