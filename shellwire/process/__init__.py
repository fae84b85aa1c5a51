"""Processes: starting them, writing and reading their pipes, ending them. Knows no messages."""
