"""All contexts: one ``default`` for each client, named ones for each principal; limited in number.

Each principal has its own namespace and its own limits, so nobody's contexts push out another's.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shellwire.errors import InvalidMessage
from shellwire.jobs.model import DEFAULT_CONTEXT
from shellwire.shell.context import Context

if TYPE_CHECKING:
    from shellwire.jobs.model import ClientKey
    from shellwire.shell.state import State

MAX_CONTEXTS = 64
"""The limit of a principal's named contexts. Also of its ``default`` ones: the least recently used
is dropped."""


@dataclass(slots=True)
class _Namespace:
    """The contexts of one principal; ``defaults`` by client_id, the one used last at the end."""

    defaults: OrderedDict[str, Context] = field(default_factory=OrderedDict)
    named: dict[str, Context] = field(default_factory=dict)


class Contexts:
    """Finds and creates contexts. Each starts from ``initial``, the daemon's environment.

    ``namespace`` names the principal of a named context; None is the client's own.
    """

    def __init__(self, initial: State) -> None:
        self._initial = initial
        self._namespaces: dict[str, _Namespace] = {}
        # The default contexts of one-shot tools: dropped with the client and its jobs.
        self._transient: dict[ClientKey, Context] = {}

    def client_connected(self, client: ClientKey, *, transient: bool) -> None:
        """Record that a client has connected. The context of a ``transient`` one is not kept."""
        if not transient:
            self._transient.pop(client, None)
        elif client not in self._transient:
            self._transient[client] = Context(self._initial)

    def is_transient(self, client: ClientKey) -> bool:
        """Whether this client's ``default`` context is dropped when the client has gone."""
        return client in self._transient

    def drop(self, client: ClientKey) -> None:
        """Drop a transient client's ``default`` context: client and jobs are gone."""
        self._transient.pop(client, None)

    def has_any(self, principal: str) -> bool:
        """Whether this principal has a context."""
        return principal in self._namespaces

    def fresh(self) -> Context:
        """Return a new context that no client can find."""
        return Context(self._initial)

    def state_of(self, client: ClientKey, name: str, namespace: str | None = None) -> State:
        """Return the state that a command would start from; creates no context."""
        space = self._namespaces.get(namespace or client.principal)
        found = None
        if name == DEFAULT_CONTEXT:
            found = self._transient.get(client)
        if found is None and space is not None:
            found = (
                space.defaults.get(client.client_id)
                if name == DEFAULT_CONTEXT
                else space.named.get(name)
            )
        return self._initial if found is None else found.state

    def get(self, client: ClientKey, name: str, namespace: str | None = None) -> Context:
        """Return the context of that name, created if there is none.

        Raises InvalidMessage when there would be more than MAX_CONTEXTS.
        """
        if name == DEFAULT_CONTEXT:
            return self._default(client)
        named = self._space(namespace or client.principal).named
        found = named.get(name)
        if found is None:
            if len(named) >= MAX_CONTEXTS:
                raise InvalidMessage(f"context: expected one of the {MAX_CONTEXTS} in use")
            found = named[name] = Context(self._initial)
        return found

    def _default(self, client: ClientKey) -> Context:
        own = self._transient.get(client)
        if own is not None:
            return own
        defaults = self._space(client.principal).defaults
        context = defaults.pop(client.client_id, None) or Context(self._initial)
        defaults[client.client_id] = context
        while len(defaults) > MAX_CONTEXTS:
            defaults.popitem(last=False)
        return context

    def _space(self, principal: str) -> _Namespace:
        space = self._namespaces.get(principal)
        if space is None:
            space = self._namespaces[principal] = _Namespace()
        return space
