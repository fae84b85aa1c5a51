"""A command without a terminal gets no pager, editor or prompt that would wait for input."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from shellwire.shell.context import COMMAND_DEFAULTS, Context
from shellwire.shell.state import State, Variable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.live import Client, Daemon

NAMES = "PAGER GIT_PAGER GIT_TERMINAL_PROMPT GIT_EDITOR EDITOR VISUAL"
SHOW = 'for n in PAGER GIT_PAGER GIT_TERMINAL_PROMPT GIT_EDITOR EDITOR VISUAL; do env | grep "^$n="'
SHOW += " || echo $n unset; done"
FOUND = (
    "PAGER=cat\nGIT_PAGER=cat\nGIT_TERMINAL_PROMPT=0\nGIT_EDITOR=false\nEDITOR=false\n"
    "VISUAL=false\n"
)
STARTED = dict.fromkeys(NAMES.split(), "of-the-start")
OF_THE_START = "".join(f"{name}=of-the-start\n" for name in NAMES.split())


@pytest.fixture
async def client(own_daemon: Callable[..., Daemon]) -> AsyncIterator[Client]:
    """Yield a client of a daemon that was started with all of them set."""
    client = await own_daemon(env=STARTED).client()
    yield client
    await client.close()


async def test_they_override_the_daemons_environment(client: Client) -> None:
    assert (await client.run(SHOW)).out == FOUND
    session = await client.session(command=SHOW)
    seen = await client.until("session_ended", id=session)
    assert "".join(m["data"] for m in seen if m["type"] == "output") == FOUND
    # On a terminal a user can answer them. And the defaults are not committed.
    assert (await client.run(SHOW, is_pty=True)).out.replace("\r", "") == OF_THE_START
    session = await client.session(command=SHOW, use_pty=True)
    seen = await client.until("session_ended", id=session)
    output = "".join(m["data"] for m in seen if m["type"] == "output")
    assert output.replace("\r", "") == OF_THE_START
    env = (await client.ask({"type": "get_context"}))["env"]
    assert {name: env[name] for name in STARTED} == STARTED


async def test_values_set_or_removed_by_a_command_stay(client: Client) -> None:
    await client.run("export EDITOR=nano VISUAL=of-the-start; unset PAGER; GIT_EDITOR=")
    found = (await client.run(SHOW)).out
    assert found == (
        "PAGER unset\nGIT_PAGER=cat\nGIT_TERMINAL_PROMPT=0\nGIT_EDITOR=\nEDITOR=nano\n"
        "VISUAL=of-the-start\n"
    )
    # A variable that is set back to the default's value counts as set.
    await client.run("export EDITOR=false PAGER=cat")
    shown = (await client.run("echo $EDITOR $PAGER $GIT_PAGER", is_pty=True)).out
    assert shown == "false cat of-the-start\r\n"
    await client.ask({"type": "reset_context"})
    assert (await client.run(SHOW)).out == FOUND


async def test_values_of_set_context_and_requests_stay(client: Client) -> None:
    assert (await client.run("echo $EDITOR $PAGER", env={"EDITOR": "ed"})).out == "ed cat\n"
    assert (await client.run("echo $EDITOR", env={"EDITOR": "of-the-start"})).out == (
        "of-the-start\n"
    )
    assert (await client.run("echo $EDITOR")).out == "false\n"
    await client.ask(
        {"type": "set_context", "env": {"EDITOR": "of-the-start"}, "unset": ["GIT_EDITOR"]}
    )
    assert (await client.run("echo $EDITOR ${GIT_EDITOR-none} $VISUAL")).out == (
        "of-the-start none false\n"
    )


@pytest.mark.needs("git")
async def test_git_commit_ends(client: Client, tmp_path: Path) -> None:
    begin = "git init -q . && git config user.name a && git config user.email b && touch f"
    assert (await client.run(f"cd {tmp_path} && {begin} && git add f")).code == 0
    ended = await client.run("git commit")
    assert ended.code == 1
    assert ended.last["duration_ms"] < 30_000
    assert (await client.run("git log")).code != 0


@pytest.mark.skipif(shutil.which("cat") is None, reason="no cat")
async def test_other_programs_do_not_wait_either(client: Client) -> None:
    assert (await client.run("echo text | $PAGER; ${VISUAL:-${EDITOR:-vi}} file")).code == 1


def test_a_context_tracks_only_these_variables() -> None:
    context = Context(State(b"/", {b"EDITOR": Variable(b"vim")}))
    context.edit(cwd=None, env={}, unset=[b"v%d" % number for number in range(1000)])
    start = context.start_state(terminal=False)
    assert start is context.start_state(terminal=False)
    assert {name: each.value for name, each in start.variables.items()} == COMMAND_DEFAULTS
    assert context.start_state(terminal=True).variables[b"EDITOR"].value == b"vim"
    context.edit(cwd=None, env={}, unset=[b"EDITOR", b"PAGER"])
    assert not {b"EDITOR", b"PAGER"} & context.start_state(terminal=False).variables.keys()
    context.reset()
    assert context.start_state(terminal=False) == start
