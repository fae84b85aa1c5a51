"""Bytes, descriptors and pids: starting, feeding, reading and ending processes. Never a message."""
