"""The comparison with other ways to run commands on a machine: all do the same work."""
