"""What the daemon keeps on disk under ``~/.shellwire``. Knows files, not sockets.

Every file here is 0600 in a directory that is 0700, is replaced in one step, and is read so that
a wrong content costs one clear line and never a traceback.
"""
