"""For agents: a server of the Model Context Protocol, and the skill that tells of it.

The official SDK is the extra ``mcp``; only ``server`` needs it, and only when it serves.
"""
