"""The client for programs that are not asynchronous: each method blocks until it is done.

``with Client() as c: c.run("make")``. Several threads may share a client, but each job's output is
for one thread.
"""

from shellwire.client.sync.client import Client
from shellwire.client.sync.context import Context
from shellwire.client.sync.job import Job

__all__ = ["Client", "Context", "Job"]
