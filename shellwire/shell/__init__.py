"""Shells: start them, give them a command, and read back the state that it leaves."""
