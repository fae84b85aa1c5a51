"""Messages about files: one at a time and in order for each client, long work in a worker."""
