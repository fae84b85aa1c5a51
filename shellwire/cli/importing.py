"""Ctrl-C while we are being imported: it ends us as it ends any program, without a traceback.

Importing this is the beginning of that time.
"""

from __future__ import annotations

import signal

_python_s = signal.getsignal(signal.SIGINT)


def end() -> None:
    """Let Python raise KeyboardInterrupt from now on: it is caught."""
    if _python_s is signal.default_int_handler:
        _set(signal.default_int_handler)


def _set(handler: object) -> None:
    try:
        signal.signal(signal.SIGINT, handler)  # type: ignore[arg-type]
    except ValueError:
        return  # imported by another thread than the main one: Ctrl-C is that one's matter


if _python_s is signal.default_int_handler:
    _set(signal.SIG_DFL)
