"""A client for programs in Python: ``async with Client() as c: await c.run("make")``.

``shellwire.client.sync`` has the same, blocking. Errors are in ``shellwire.errors``.
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
