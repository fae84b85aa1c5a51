"""A client for file messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live import Client, Message


class FileClient:
    """Sends file messages about one root directory."""

    def __init__(self, client: Client, root: Path) -> None:
        self.client = client
        self.root = root

    def message(self, operation: str, **fields: Any) -> Message:
        return {"type": f"fs_{operation}", "id": "f", "root": str(self.root), **fields}

    async def __call__(self, operation: str, **fields: Any) -> Message:
        """Send a message; return its result."""
        answer = await self.client.ask(self.message(operation, **fields))
        assert answer["type"] == "fs_result", answer
        assert (answer["id"], answer["operation"]) == ("f", f"fs_{operation}")
        result: Message = answer["result"]
        return result

    async def code(self, operation: str, **fields: Any) -> str:
        """Send a message that fails; return its error code."""
        answer = await self.client.ask(self.message(operation, **fields))
        assert answer["type"] == "error", answer
        assert answer["operation"] == f"fs_{operation}"
        return str(answer["code"])
