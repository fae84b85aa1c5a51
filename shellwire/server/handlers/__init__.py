"""Handlers: execute one client message each, and answer it. Raise WireError to refuse it."""
