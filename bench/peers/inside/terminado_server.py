"""Serve terminals on a free loopback port until killed; runs in terminado's environment."""

import asyncio

from terminado import TermSocket, UniqueTermManager
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application


async def main() -> None:
    """Print the port, and serve."""
    manager = UniqueTermManager(shell_command=["/bin/bash", "--norc", "--noprofile"])
    sockets = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(Application([(r"/ws", TermSocket, {"term_manager": manager})]))
    server.add_sockets(sockets)
    port = sockets[0].getsockname()[1]
    print(port, flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
