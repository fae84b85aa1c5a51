"""Files for the peers' environments: pinned packages, and programs that run there."""
