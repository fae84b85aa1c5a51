"""The client for programs that are not asynchronous: each method blocks until it is done.

``with Client() as c: c.run("make")``. It may be used from several threads; the output of one job is
for one of them.
"""

from shellwire.client.sync.client import Client
from shellwire.client.sync.context import Context
from shellwire.client.sync.job import Job

__all__ = ["Client", "Context", "Job"]
