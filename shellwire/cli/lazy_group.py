"""Import each command only when it is used: one call needs one of them."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click


class LazyGroup(MutableMapping[str, "click.Command"]):
    """A mapping for click's ``Group.commands`` that imports commands on first access.

    ``paths`` maps a command's name to ``module.attribute`` below ``shellwire.cli``.
    """

    def __init__(self, paths: dict[str, str]) -> None:
        self._paths = paths
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            module, _, attribute = self._paths[name].rpartition(".")
            command: click.Command = getattr(import_module(f"shellwire.cli.{module}"), attribute)
            self._loaded[name] = command
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._paths[name] = ""
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._paths[name]
        self._loaded.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)
