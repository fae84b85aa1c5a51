"""The main use: a client authenticates, runs commands whose state carries over, uses a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.live import Client


async def test_state_carries_over(client: Client) -> None:
    first = await client.run("cd /usr; export A=1; b=2; f() { echo f:$A:$b; }; alias ll='echo al'")
    assert (first.code, first.last["cwd"], first.last["committed"]) == (0, "/usr", True)
    second = await client.run("pwd; f\nll")
    assert second.out == "/usr\nf:1:2\nal\n"


async def test_a_terminal(client: Client) -> None:
    session = await client.session(use_pty=True, cols=100, rows=40, command="bash --norc")
    await client.send({"type": "send_input", "id": session, "data": "stty size\n"})
    await client.output_until(session, "40 100")
    answer = await client.ask({"type": "resize", "id": session, "cols": 50, "rows": 20})
    assert (answer["type"], answer["operation"]) == ("ack", "resize")
    await client.send({"type": "send_input", "id": session, "data": "stty size\n"})
    await client.output_until(session, "20 50")
    assert (await client.ask({"type": "kill_session", "id": session}))["type"] == "ack"
    ended = (await client.until("session_ended", id=session))[-1]
    assert ended["reason"] == "killed"
