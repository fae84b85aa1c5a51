"""A context by its name: what its commands leave behind, the next ones find."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Unpack

from shellwire.client.results import ContextState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shellwire.client.job import Job
    from shellwire.client.options import CommandOptions, ShellOptions
    from shellwire.client.results import Message, Result


class Commands(Protocol):
    """What of a client a context needs."""

    async def run(self, command: str, **options: Unpack[CommandOptions]) -> Result: ...

    def stream(self, command: str, **options: Unpack[CommandOptions]) -> Job: ...

    def shell(self, command: str | None = None, **options: Unpack[ShellOptions]) -> Job: ...

    async def request(self, kind: str, /, **fields: Any) -> Message: ...


class Context:
    """A context by its name: ``default`` is the client's own, every other one is everybody's."""

    def __init__(self, client: Commands, name: str) -> None:
        self.name = name
        self._client = client

    async def run(self, command: str, **options: Unpack[CommandOptions]) -> Result:
        """As ``Client.run``, in this context."""
        options["context"] = self.name
        return await self._client.run(command, **options)

    def stream(self, command: str, **options: Unpack[CommandOptions]) -> Job:
        """As ``Client.stream``, in this context."""
        options["context"] = self.name
        return self._client.stream(command, **options)

    def shell(self, command: str | None = None, **options: Unpack[ShellOptions]) -> Job:
        """As ``Client.shell``, from this context; it changes nothing of it."""
        options["context"] = self.name
        return self._client.shell(command, **options)

    async def get(self) -> ContextState:
        """Return where it stands. One that is new is born by this."""
        return self._state(await self._client.request("get_context", context=self.name))

    async def set(
        self,
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        unset: Iterable[str] = (),
    ) -> ContextState:
        """Change its directory, set variables, and remove some; return where it stands then."""
        answer = await self._client.request(
            "set_context", context=self.name, cwd=cwd, env=dict(env or {}), unset=list(unset)
        )
        return self._state(answer)

    async def reset(self) -> ContextState:
        """Make it as it was born. A command that runs now commits nothing."""
        return self._state(await self._client.request("reset_context", context=self.name))

    @staticmethod
    def _state(answer: Message) -> ContextState:
        return ContextState(answer["context"], answer["cwd"], answer["env"])
