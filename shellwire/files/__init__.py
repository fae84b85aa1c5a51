"""File operations confined to a root directory. Independent of the wire and of the home."""
