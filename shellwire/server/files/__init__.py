"""File messages: one queue per client, in order; long work in a worker process."""
