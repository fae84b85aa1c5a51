"""A context by its name, blocking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from shellwire.client.sync.job import Job

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shellwire.client.context import Context as AsyncContext
    from shellwire.client.options import CommandOptions, ShellOptions
    from shellwire.client.results import ContextState, Result
    from shellwire.client.sync.loop import Loop


class Context:
    """As ``shellwire.client.Context``."""

    def __init__(self, loop: Loop, context: AsyncContext) -> None:
        self.name = context.name
        self._loop = loop
        self._context = context

    def run(self, command: str, **options: Unpack[CommandOptions]) -> Result:
        """As ``Client.run``, in this context."""
        return self._loop.run(self._context.run(command, **options))

    def stream(self, command: str, **options: Unpack[CommandOptions]) -> Job:
        """As ``Client.stream``, in this context."""
        return Job(self._loop, self._context.stream(command, **options))

    def shell(self, command: str | None = None, **options: Unpack[ShellOptions]) -> Job:
        """As ``Client.shell``, from this context."""
        return Job(self._loop, self._context.shell(command, **options))

    def get(self) -> ContextState:
        """Return where it stands."""
        return self._loop.run(self._context.get())

    def set(
        self,
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        unset: Iterable[str] = (),
    ) -> ContextState:
        """Change its directory, set variables, and remove some; return where it stands then."""
        return self._loop.run(self._context.set(cwd=cwd, env=env, unset=unset))

    def reset(self) -> ContextState:
        """Make it as it was born."""
        return self._loop.run(self._context.reset())
