"""Jobs: output, slots, state machine, registry. The package knows no wire messages."""
