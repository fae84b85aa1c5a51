"""One run and all runs: output, slots, state machine, registry. Gives out snapshots, no messages."""
