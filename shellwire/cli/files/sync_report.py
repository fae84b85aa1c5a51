"""Report what a sync does, without repeating a message pass after pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class SyncReport:
    """The conflicts and failures of the current pass, and the messages about them.

    ``print_change`` gets each change made, ``print_warning`` what is skipped or waited for,
    ``print_error`` what failed. A warning or an error is not repeated while it lasts.
    """

    def __init__(
        self,
        print_change: Callable[[str], None],
        print_warning: Callable[[str], None],
        print_error: Callable[[str], None],
    ) -> None:
        self.conflicts: set[str] = set()
        """Paths in conflict in the last pass."""
        self.failed: set[str] = set()
        """Paths that failed in the last pass."""
        self.print_change = print_change
        self._print_warning = print_warning
        self._print_error = print_error
        self._printed: set[str] = set()
        self._printed_before: set[str] = set()

    def begin_pass(self) -> None:
        """Clear the results; remember the messages of the last pass."""
        self.conflicts.clear()
        self.failed.clear()
        self._printed, self._printed_before = set(), self._printed

    def add_conflict(self, path: str, reason: str) -> None:
        """Record a conflict and print it."""
        self.conflicts.add(path)
        self.error(f"conflict: {path}: {reason}")

    def add_failure(self, path: str, reason: str) -> None:
        """Record a failure and print it."""
        self.failed.add(path)
        self.error(f"{path}: {reason}")

    def warning(self, text: str) -> None:
        """Print a warning."""
        self._print_once(text, self._print_warning)

    def error(self, text: str) -> None:
        """Print an error."""
        self._print_once(text, self._print_error)

    def _print_once(self, text: str, print_line: Callable[[str], None]) -> None:
        if text not in self._printed | self._printed_before:
            print_line(text)
        self._printed.add(text)
