"""The only rooms that know aiohttp's server: routes, connections, handlers, rendering."""
