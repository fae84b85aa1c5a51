"""The files that the daemon keeps under ``~/.shellwire``. Knows files, not sockets.

Each file is 0600 in a directory that is 0700, and is replaced atomically. Damaged content gives a
one-line error, never a traceback.
"""
