"""All contexts: one ``default`` for each client, named ones for the owner; bounded."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from shellwire.errors import InvalidMessage
from shellwire.jobs.model import DEFAULT_CONTEXT
from shellwire.shell.context import Context

if TYPE_CHECKING:
    from shellwire.shell.state import State

MAX_CONTEXTS = 64
"""Named contexts at most; and so many ``default`` ones, those used last, are kept."""


class Contexts:
    """Finds and makes contexts. Each is born from the daemon's start environment."""

    def __init__(self, birth: State) -> None:
        self._birth = birth
        self._defaults: OrderedDict[str, Context] = OrderedDict()
        self._named: dict[str, Context] = {}
        # Of one-shot tools: each lives as long as its client and the jobs of that.
        self._passing: dict[str, Context] = {}

    def came(self, client_id: str, *, transient: bool) -> None:
        """A client has connected; the ``default`` context of a ``transient`` one is not kept."""
        if not transient:
            self._passing.pop(client_id, None)
        elif client_id not in self._passing:
            self._passing[client_id] = Context(self._birth)

    def is_passing(self, client_id: str) -> bool:
        """Whether the ``default`` context of this client is to be dropped."""
        return client_id in self._passing

    def drop(self, client_id: str) -> None:
        """Drop the ``default`` context of a transient client, which has gone with its jobs."""
        self._passing.pop(client_id, None)

    def fresh(self) -> Context:
        """Return a context as it was born, which nobody finds."""
        return Context(self._birth)

    def look(self, client_id: str, name: str) -> State:
        """Return the state that a command would find there; nothing is made."""
        if name == DEFAULT_CONTEXT:
            found = self._passing.get(client_id) or self._defaults.get(client_id)
        else:
            found = self._named.get(name)
        return self._birth if found is None else found.state

    def get(self, client_id: str, name: str) -> Context:
        """Return the context of that name, made if it is new.

        Raises InvalidMessage when there would be too many.
        """
        if name != DEFAULT_CONTEXT:
            if name not in self._named and len(self._named) >= MAX_CONTEXTS:
                raise InvalidMessage(f"context: expected one of the {MAX_CONTEXTS} in use")
            return self._named.setdefault(name, Context(self._birth))
        passing = self._passing.get(client_id)
        if passing is not None:
            return passing
        context = self._defaults.pop(client_id, None) or Context(self._birth)
        self._defaults[client_id] = context
        while len(self._defaults) > MAX_CONTEXTS:
            self._defaults.popitem(last=False)
        return context
