"""Other ways to run commands on a machine, asked to do the same work as ours."""
