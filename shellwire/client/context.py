"""A named context: the directory and variables that its commands share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shellwire.client.job import Job
    from shellwire.client.options import CommandOptions, ShellOptions
    from shellwire.client.results import Message, Result


@dataclass(frozen=True, slots=True)
class ContextState:
    """The directory and variables of a context."""

    name: str
    cwd: str
    env: dict[str, str]
    """The exported variables."""


class Commands(Protocol):
    """The methods of ``Client`` that a context calls."""

    async def run(self, command: str, **options: Unpack[CommandOptions]) -> Result: ...

    def stream(self, command: str, **options: Unpack[CommandOptions]) -> Job: ...

    def shell(self, command: str | None = None, **options: Unpack[ShellOptions]) -> Job: ...

    async def request(self, kind: str, /, **fields: Any) -> Message: ...


class Context:
    """A context by name: ``default`` is this client_id's own, other names are shared by clients."""

    def __init__(self, client: Commands, name: str) -> None:
        self.name = name
        self._client = client

    async def run(self, command: str, **options: Unpack[CommandOptions]) -> Result:
        """Run a command in this context; see ``Client.run``."""
        options["context"] = self.name
        return await self._client.run(command, **options)

    def stream(self, command: str, **options: Unpack[CommandOptions]) -> Job:
        """Return a command of this context as a job; see ``Client.stream``."""
        options["context"] = self.name
        return self._client.stream(command, **options)

    def shell(self, command: str | None = None, **options: Unpack[ShellOptions]) -> Job:
        """Return a session that starts from this context; see ``Client.shell``.

        Nothing that the session does changes the context.
        """
        options["context"] = self.name
        return self._client.shell(command, **options)

    async def get(self) -> ContextState:
        """Return the context's directory and variables. A new context is created by this."""
        return self._state(await self._client.request("get_context", context=self.name))

    async def set(
        self,
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        unset: Iterable[str] = (),
    ) -> ContextState:
        """Change the directory, set ``env`` and remove ``unset``; return the new state."""
        answer = await self._client.request(
            "set_context", context=self.name, cwd=cwd, env=dict(env or {}), unset=list(unset)
        )
        return self._state(answer)

    async def reset(self) -> ContextState:
        """Restore the initial state. Commands that run now commit nothing."""
        return self._state(await self._client.request("reset_context", context=self.name))

    @staticmethod
    def _state(answer: Message) -> ContextState:
        return ContextState(answer["context"], answer["cwd"], answer["env"])
