"""The WebSocket and HTTP server; the only package that uses aiohttp's server."""
