"""Handlers for the daemon itself: ping, directories, administration; and file messages."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shellwire.errors import DaemonStopping, InvalidMessage, NotFound
from shellwire.protocol import messages
from shellwire.protocol.file_names import decode_name

if TYPE_CHECKING:
    from shellwire.server.connection import Connection


def ping(connection: Connection, message: messages.Ping) -> None:
    connection.send(messages.Pong(id=message.id, request_id=message.request_id))


def stat_directory(connection: Connection, message: messages.StatDirectory) -> None:
    path = decode_name(message.path)
    if not os.path.isabs(path):
        raise InvalidMessage(f"path: expected an absolute path, got {message.path[:100]}")
    try:
        # The final dot requires a directory that can be entered (path_resolution(7)).
        found = os.stat(os.path.join(path, b"."))
    except (OSError, ValueError):
        raise NotFound(f"{message.path[:100]}: there is no directory that can be entered") from None
    connection.send(
        messages.DirectoryInfo(
            id=message.id,
            request_id=message.request_id,
            path=message.path,
            identity=f"{found.st_dev}:{found.st_ino}",
        )
    )


def file_message(connection: Connection, message: messages.FileMessage) -> None:
    if connection.connections.stopping:
        raise DaemonStopping("the daemon is stopping")
    connection.files.submit(message)


# Administration ----------------------------------------------------------------------------------


def reload(connection: Connection, message: messages.Reload) -> None:
    connection.connections.reload()
    connection.acknowledge(message)


def list_clients(connection: Connection, message: messages.ListClients) -> None:
    connection.send(
        messages.ClientsList(
            clients=connection.connections.clients(), id=message.id, request_id=message.request_id
        )
    )


def stop_daemon(connection: Connection, message: messages.StopDaemon) -> None:
    connection.acknowledge(message)
    connection.services.stop_daemon()
