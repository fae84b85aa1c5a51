"""The Python client: ``async with Client() as c: await c.run("make")``.

``shellwire.client.sync`` is the same client with blocking calls. Errors are in
``shellwire.errors``.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shellwire.client.client import Client
    from shellwire.client.context import Context, ContextState
    from shellwire.client.file_results import FileInfo, Found, Match
    from shellwire.client.job import Job
    from shellwire.client.pages import Page
    from shellwire.client.results import Chunk, Notice, Result

__all__ = [
    "Chunk",
    "Client",
    "Context",
    "ContextState",
    "FileInfo",
    "Found",
    "Job",
    "Match",
    "Notice",
    "Page",
    "Result",
]

# Imported on first use: a short program needs few of them.
_MODULES = {
    "Chunk": "results",
    "Client": "client",
    "Context": "context",
    "ContextState": "context",
    "FileInfo": "file_results",
    "Found": "file_results",
    "Job": "job",
    "Match": "file_results",
    "Notice": "results",
    "Page": "pages",
    "Result": "results",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
