"""Sessions start from a context, whatever program they run, and never commit."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live import Client, Daemon

SETUP = (
    "export A=exported; b='not exported'; cd /usr; arr=(1 '2 3'); foo-bar() { echo \"f:$1:$b\"; }\n"
    "alias hello='echo hello from an alias'; declare -i n=5"
)


async def _ask(client: Client, session: str, line: str) -> str:
    """Type a line, and return its output (the echo of the line does not contain the mark)."""
    mark = uuid.uuid4().hex
    typed = f"{line}; echo {mark[:8]}''{mark[8:]}\n"
    await client.send({"type": "send_input", "id": session, "data": typed})
    seen = (await client.output_until(session, mark)).replace("\r\n", "\n").split(mark)[0]
    return seen.split(f"''{mark[8:]}\n")[-1]


@pytest.fixture
def bash_home(tmp_path: Path, own_daemon: Callable[..., Daemon]) -> Daemon:
    """Return a daemon with bash, whose user has a .bashrc."""
    home = tmp_path / "user"
    home.mkdir()
    (home / ".bashrc").write_text(
        "PS1='$ '; unset PROMPT_COMMAND; bind 'set enable-bracketed-paste off'\n"
        "alias mine='echo my alias' echo_a='echo' foo-bar='echo wrong'\n"
        "cd() { builtin cd \"$@\" && LAST=$PWD; }; RC=$((RC + 1)); b='of the rc'\n"
    )
    return own_daemon(env={"HOME": str(home), "SHELL": "/bin/bash", "TERM": "dumb"})


async def test_an_interactive_bash_gets_all_of_the_context(bash_home: Daemon) -> None:
    client = await bash_home.client()
    assert (await client.run(SETUP)).last["committed"]
    session = await client.session(use_pty=True, cols=200)
    assert await _ask(client, session, "pwd; echo $A $b ${arr[1]}") == (
        "/usr\nexported not exported 2 3\n"
    )
    assert await _ask(client, session, "unalias foo-bar; hello; mine") == (
        "hello from an alias\nmy alias\n"
    )
    assert await _ask(client, session, "n+=1; echo $n; foo-bar x") == "6\nf:x:not exported\n"
    # The user's .bashrc was read once, and its functions are defined.
    assert await _ask(client, session, "echo $RC; type -t cd; cd /; echo $LAST") == (
        "1\nfunction\n/\n"
    )
    await client.close()


async def test_an_interactive_bash_shows_no_trace(bash_home: Daemon) -> None:
    client = await bash_home.client()
    await client.run(SETUP)
    session = await client.session(use_pty=True, cols=200)
    flags = await _ask(client, session, "echo $-; shopt -p extglob expand_aliases login_shell")
    assert set(flags.split("\n")[0]) >= set("himBH")
    assert flags.split("\n")[1:4] == [
        "shopt -u extglob",
        "shopt -s expand_aliases",
        "shopt -u login_shell",
    ]
    listing = await _ask(client, session, "ls -l /proc/self/fd /proc/$$/fd")
    numbers = {int(number) for number in re.findall(r" (\d+) -> (?!/proc/)", listing)}
    assert numbers == {0, 1, 2, 255}  # bash keeps its terminal at 255
    assert (
        await _ask(client, session, "set | grep -c __shellwire; trap; echo $0") == "0\n/bin/bash\n"
    )
    assert await _ask(client, session, "echo $SHLVL ${OLDPWD##*/}") != ""
    await client.close()


async def test_a_session_commits_nothing(any_client: Client) -> None:
    await any_client.run("export A=1; cd /usr")
    session = await any_client.session(command="echo $A; pwd; export A=2; cd /; echo over")
    seen = await any_client.until("session_ended", id=session)
    assert "".join(m["data"] for m in seen if m["type"] == "output") == "1\n/usr\nover\n"
    assert (await any_client.run("echo $A; pwd")).out == "1\n/usr\n"


async def test_a_session_with_a_command_starts_from_all_of_the_context(client: Client) -> None:
    await client.run(SETUP)
    for use_pty in (False, True):
        session = await client.session(
            command="foo-bar y; echo $((n + 1)) ${arr[1]}\nhello; echo over", use_pty=use_pty
        )
        seen = await client.output_until(session, "over")
        assert seen.split() == [
            "f:y:not",
            "exported",
            "6",
            "2",
            "3",
            "hello",
            "from",
            "an",
            "alias",
            "over",
        ]


async def test_the_shell_of_the_user_on_pipes(any_client: Client) -> None:
    await any_client.run("export A=1; cd /usr")
    session = await any_client.session(env={"SHELL": "/bin/sh"})
    assert await _ask(any_client, session, "echo $A; pwd") == "1\n/usr\n"
    await any_client.send({"type": "send_input", "id": session, "data": "exit 3\n"})
    ended = (await any_client.until("session_ended", id=session))[-1]
    assert (ended["exit_code"], ended["reason"]) == (3, "exited")


async def test_another_shell_than_bash_on_a_terminal(any_client: Client) -> None:
    await any_client.ask({"type": "set_context", "env": {"SHELL": "/bin/sh", "A": "1"}})
    session = await any_client.session(use_pty=True)
    assert "1\n" in await _ask(any_client, session, "echo $A")
    await any_client.ask({"type": "kill_session", "id": session})


async def test_a_session_whose_directory_is_gone(any_client: Client, tmp_path: Path) -> None:
    await any_client.run(f"mkdir {tmp_path}/gone; cd {tmp_path}/gone; rmdir ../gone; true")
    session = await any_client.session(command="pwd; echo over")
    seen = await any_client.until("session_ended", id=session)
    assert [m["code"] for m in seen if m["type"] == "notice"] == ["CWD_GONE"]
    assert "".join(m["data"] for m in seen if m["type"] == "output") == f"{tmp_path}\nover\n"
