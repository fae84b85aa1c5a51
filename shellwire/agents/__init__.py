"""For AI agents: an MCP server, and the skill that teaches its tools.

MCP is the Model Context Protocol. Only ``server`` needs the official SDK (the extra ``mcp``), and
imports it only when it serves.
"""
