"""The daemon as a process: it starts, detaches, logs, and puts the rooms together."""
