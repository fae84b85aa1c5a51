"""The table of handlers: which function executes which message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from shellwire.errors import Forbidden
from shellwire.protocol import messages
from shellwire.server.handlers import contexts, daemon, jobs, privileges, start, tokens
from shellwire.server.identity import isolation_unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.protocol.messages import ClientMessage
    from shellwire.server.connection import Connection

    Handler = Callable[[Connection, Any], None]


def handle(connection: Connection, message: ClientMessage) -> None:
    """Execute ``message`` if the client's role allows it. Raises WireError."""
    kind = type(message)
    if connection.principal.elevated is not None:
        # The timer may be late: the machine may have slept, or other work comes first.
        connection.connections.elevations.apply(connection.principal)
    if kind not in connection.cells:
        role = connection.principal.role
        raise Forbidden(f"the role {role} may not send {kind.__struct_config__.tag}")
    if connection.isolate is not None and kind in NATIVE:
        raise isolation_unavailable(connection.isolate)
    HANDLERS[kind](connection, message)


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
    messages.CreateToken: tokens.create_token,
    messages.ListTokens: tokens.list_tokens,
    messages.RevokeToken: tokens.revoke_token,
    messages.Elevate: privileges.elevate,
    messages.KickClient: privileges.kick_client,
    **dict.fromkeys(get_args(messages.FileMessage), daemon.file_message),
}

NATIVE = frozenset(
    {
        messages.Execute,
        messages.StartSession,
        messages.SendInput,
        messages.SetContext,  # PATH or BASH_ENV of a context changes what others' commands run
        messages.ResetContext,
        messages.StatDirectory,
        *get_args(messages.FileMessage),
    }
)
"""What acts natively, with the daemon's uid: refused to a credential that must be isolated."""
