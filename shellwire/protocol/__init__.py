"""What crosses the wire: messages, their text, and their schema. Does no input or output."""
