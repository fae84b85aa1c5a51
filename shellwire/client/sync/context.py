"""A named context, blocking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from shellwire.client.sync.job import Job

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shellwire.client.context import Context as AsyncContext
    from shellwire.client.context import ContextState
    from shellwire.client.options import CommandOptions, ShellOptions
    from shellwire.client.results import Result
    from shellwire.client.sync.loop import Loop


class Context:
    """A context by name; the blocking form of ``shellwire.client.Context``."""

    def __init__(self, loop: Loop, context: AsyncContext) -> None:
        self.name = context.name
        self._loop = loop
        self._context = context

    def run(self, command: str, **options: Unpack[CommandOptions]) -> Result:
        """Run a command in this context; see ``Client.run``."""
        return self._loop.run(self._context.run(command, **options))

    def stream(self, command: str, **options: Unpack[CommandOptions]) -> Job:
        """Return a command of this context as a job; see ``Client.stream``."""
        return Job(self._loop, self._context.stream(command, **options))

    def shell(self, command: str | None = None, **options: Unpack[ShellOptions]) -> Job:
        """Return a session that starts from this context; see ``Client.shell``."""
        return Job(self._loop, self._context.shell(command, **options))

    def get(self) -> ContextState:
        """Return the context's directory and variables. A new context is created by this."""
        return self._loop.run(self._context.get())

    def set(
        self,
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        unset: Iterable[str] = (),
    ) -> ContextState:
        """Change the directory, set ``env`` and remove ``unset``; return the new state."""
        return self._loop.run(self._context.set(cwd=cwd, env=env, unset=unset))

    def reset(self) -> ContextState:
        """Restore the initial state. Commands that run now commit nothing."""
        return self._loop.run(self._context.reset())
