"""The daemon process: start, background, log, and the wiring of all parts."""
