"""The protocol's numbers, free of what it takes to check messages."""

PROTOCOL_VERSION = 1
"""What ``protocol`` means in ``auth`` and ``status``."""

MAX_ID_LENGTH = 128
"""Characters in an id, a request_id, a client_id or the name of a context."""

MAX_NAME_LENGTH = 64
"""Characters in the name of a job."""

MAX_COLUMNS = 2000
"""A terminal's greatest width in characters."""

MAX_ROWS = 1000
"""A terminal's greatest height in lines."""

MAX_DAEMON_MESSAGE = 64 * 1024 * 1024
"""Bytes in a message of the daemon, compressed or not; a client takes no larger one."""

MAX_NESTING = 64
"""Levels of arrays and objects in a message of the daemon that a client takes."""

REPLACED = 4000
"""Close code of a connection whose client_id has connected again: never reconnect after it."""
