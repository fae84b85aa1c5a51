"""shellwire: a WebSocket daemon that gives any client a real shell on one machine."""

__version__ = "0.2.0"
