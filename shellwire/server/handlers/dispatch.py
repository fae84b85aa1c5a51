"""The table of handlers: which function executes which message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from shellwire.protocol import messages
from shellwire.server.handlers import contexts, daemon, jobs, start

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.protocol.messages import ClientMessage
    from shellwire.server.connection import Connection

    Handler = Callable[[Connection, Any], None]


def handle(connection: Connection, message: ClientMessage) -> None:
    """Execute ``message``. Raises WireError."""
    HANDLERS[type(message)](connection, message)


HANDLERS: dict[type, Handler] = {
    messages.Execute: start.execute,
    messages.StartSession: start.start_session,
    messages.CancelCommand: jobs.cancel_command,
    messages.KillSession: jobs.kill_session,
    messages.SendInput: jobs.send_input,
    messages.Resize: jobs.resize,
    messages.Signal: jobs.signal,
    messages.Attach: jobs.attach,
    messages.Detach: jobs.detach,
    messages.Credit: jobs.credit,
    messages.ReadOutput: jobs.read_output,
    messages.ListSessions: jobs.list_sessions,
    messages.ListJobs: jobs.list_jobs,
    messages.StatDirectory: daemon.stat_directory,
    messages.Ping: daemon.ping,
    messages.GetContext: contexts.get_context,
    messages.SetContext: contexts.set_context,
    messages.ResetContext: contexts.reset_context,
    messages.Reload: daemon.reload,
    messages.ListClients: daemon.list_clients,
    messages.StopDaemon: daemon.stop_daemon,
    **dict.fromkeys(get_args(messages.FileMessage), daemon.file_message),
}
