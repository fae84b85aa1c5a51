"""Files on the daemon's machine: small ones in messages, large ones over HTTP."""
