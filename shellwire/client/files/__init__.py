"""Files of the daemon's machine: small ones as messages, large ones by plain HTTP."""
