"""The protocol's limits, importable without the message types."""

PROTOCOL_VERSION = 1
"""The protocol version, as ``protocol`` in ``auth`` and ``status``."""

MAX_ID_LENGTH = 128
"""Characters in an id, a request_id, a client_id or the name of a context."""

MAX_NAME_LENGTH = 64
"""Characters in the name of a job."""

MAX_COLUMNS = 2000
"""The largest width of a terminal, in characters."""

MAX_ROWS = 1000
"""The largest height of a terminal, in lines."""

MAX_DAEMON_MESSAGE = 64 * 1024 * 1024
"""The largest message from the daemon in bytes, compressed or not; clients refuse larger ones."""

MAX_NESTING = 64
"""Levels of nested arrays and objects that a client accepts in a message from the daemon."""

KICKED = 4009
"""Close code of a client that an administrator has put out. Never reconnect after it."""

REPLACED = 4000
"""Close code after a takeover: the same client_id has connected again. Never reconnect after it."""
