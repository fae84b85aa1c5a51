"""All contexts: one ``default`` for each client, named ones for the owner; limited in number."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from shellwire.errors import InvalidMessage
from shellwire.jobs.model import DEFAULT_CONTEXT
from shellwire.shell.context import Context

if TYPE_CHECKING:
    from shellwire.shell.state import State

MAX_CONTEXTS = 64
"""The limit of named contexts. Also of ``default`` ones: the least recently used is dropped."""


class Contexts:
    """Finds and creates contexts. Each starts from ``initial``, the daemon's environment."""

    def __init__(self, initial: State) -> None:
        self._initial = initial
        self._defaults: OrderedDict[str, Context] = OrderedDict()
        self._named: dict[str, Context] = {}
        # The default contexts of one-shot tools: dropped with the client and its jobs.
        self._transient: dict[str, Context] = {}

    def client_connected(self, client_id: str, *, transient: bool) -> None:
        """Record that a client has connected. The context of a ``transient`` one is not kept."""
        if not transient:
            self._transient.pop(client_id, None)
        elif client_id not in self._transient:
            self._transient[client_id] = Context(self._initial)

    def is_transient(self, client_id: str) -> bool:
        """Whether this client's ``default`` context is dropped when the client has gone."""
        return client_id in self._transient

    def drop(self, client_id: str) -> None:
        """Drop a transient client's ``default`` context: client and jobs are gone."""
        self._transient.pop(client_id, None)

    def fresh(self) -> Context:
        """Return a new context that no client can find."""
        return Context(self._initial)

    def state_of(self, client_id: str, name: str) -> State:
        """Return the state that a command would start from; creates no context."""
        if name == DEFAULT_CONTEXT:
            found = self._transient.get(client_id) or self._defaults.get(client_id)
        else:
            found = self._named.get(name)
        return self._initial if found is None else found.state

    def get(self, client_id: str, name: str) -> Context:
        """Return the context of that name, created if there is none.

        Raises InvalidMessage when there would be more than MAX_CONTEXTS.
        """
        if name != DEFAULT_CONTEXT:
            if name not in self._named and len(self._named) >= MAX_CONTEXTS:
                raise InvalidMessage(f"context: expected one of the {MAX_CONTEXTS} in use")
            return self._named.setdefault(name, Context(self._initial))
        own = self._transient.get(client_id)
        if own is not None:
            return own
        context = self._defaults.pop(client_id, None) or Context(self._initial)
        self._defaults[client_id] = context
        while len(self._defaults) > MAX_CONTEXTS:
            self._defaults.popitem(last=False)
        return context
