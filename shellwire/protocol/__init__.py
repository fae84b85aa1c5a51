"""The wire protocol: messages, their JSON, and their schema. Does no I/O."""
