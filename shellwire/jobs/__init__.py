"""One run and all runs: output, slots, state machine, registry. Snapshots, never messages."""
