"""The daemon's Unix socket: bind it in the home, and remove it at the end."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from typing import TYPE_CHECKING

from shellwire.errors import StartError
from shellwire.home.socket import socket_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shellwire.home.paths import Home


@contextlib.contextmanager
def unix_socket(home: Home) -> Iterator[socket.socket]:
    """Bind the home's Unix socket, 0600, while the block runs. Raises StartError.

    The caller holds the daemon lock, so an existing socket file is stale.
    """
    if sys.platform == "win32":
        raise StartError("asyncio serves no Unix socket on Windows")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    bound = None
    try:
        try:
            bound = _bind(listening, home)
        except OSError as error:
            raise StartError(f"cannot make {home.socket_file}: {error.strerror}") from error
        yield listening
    finally:
        listening.close()
        with contextlib.suppress(OSError):
            # If the home was removed under us, the file may be another daemon's in a new home.
            if bound is not None and os.path.samestat(os.stat(home.socket_file), bound):
                home.socket_file.unlink()


def _bind(listening: socket.socket, home: Home) -> os.stat_result:
    home.socket_file.unlink(missing_ok=True)
    umask = os.umask(0o177)
    try:
        with socket_address(home) as path:
            listening.bind(path)
    finally:
        os.umask(umask)
    return os.stat(home.socket_file)
