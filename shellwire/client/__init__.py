"""The Python client: ``async with Client() as c: await c.run("make")``.

``shellwire.client.sync`` is the same client with blocking calls. Errors are in
``shellwire.errors``.
"""

from shellwire.client.client import Client
from shellwire.client.context import Context
from shellwire.client.job import Job
from shellwire.client.results import (
    Chunk,
    ContextState,
    FileInfo,
    Found,
    Match,
    Notice,
    Page,
    Result,
)

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
