"""Our descriptors, secrets and the report are hidden from a command and its children."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from tests.shell.shells import POSIX_SHELLS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live import Client, Daemon

_LIST = "ls -l /proc/self/fd"


def _open(listing: str) -> set[int]:
    return {int(number) for number in re.findall(r" (\d+) -> (?!/proc/)", listing)}


@pytest.mark.parametrize(
    "command",
    [
        _LIST,
        f"{_LIST} | cat",
        f"({_LIST})",
        f"({_LIST}; true)",
        f'x=$({_LIST}); echo "$x"',
        f"f() {{ {_LIST}; true; }}; f",
        f"exec {_LIST}",
        f"sh -c '{_LIST}; true'",
        f"{_LIST} & wait",
        f"exec 3>&- 8>&- 9>&-; {_LIST}",
        f"set -x; {_LIST}",
        f"{{ {_LIST}; }} 2>&1",
        f"{{ exec {_LIST}; }} 2>&1",
        f"f() {{ (exec {_LIST}) & wait; }}; f",
        f"trap '{_LIST}' EXIT",
        f"trap 'exec {_LIST}' EXIT; exit 3",
        f"eval '{_LIST}; true'",
    ],
)
@pytest.mark.parametrize("is_pty", [False, True])
async def test_children_have_none_of_our_descriptors(
    any_client: Client, command: str, is_pty: bool
) -> None:
    ended = await any_client.run(command, is_pty=is_pty)
    # One more is a pipe of the command itself.
    assert {0, 1, 2} <= _open(ended.out) <= {0, 1, 2, 3}, ended.out


async def test_sessions_have_none_of_our_descriptors(any_client: Client) -> None:
    for use_pty in (False, True):
        session = await any_client.session(command=f"{_LIST}; echo over", use_pty=use_pty)
        assert _open(await any_client.output_until(session, "over")) == {0, 1, 2}


@pytest.mark.parametrize("name", POSIX_SHELLS)
async def test_a_posix_shell_itself_has_none_of_our_descriptors(
    posix_daemon: Callable[[str], Daemon], name: str
) -> None:
    """Busybox may run its own programs without exec(3): close-on-exec would not help there."""
    client = await posix_daemon(name).client()
    for begin in ("", "set -e; ", "x=1 y=$(echo z); "):
        ended = await client.run(f"{begin}ls -l /proc/$$/fd")
        assert _open(ended.out) == {0, 1, 2}, ended.out
    session = await client.session(command="ls -l /proc/$$/fd; echo over")
    assert _open(await client.output_until(session, "over")) == {0, 1, 2}
    await client.close()


async def test_coprocesses_and_traps_have_none_of_our_descriptors(client: Client) -> None:
    ended = await client.run(f"coproc {{ {_LIST}; }}; cat <&${{COPROC[0]}}; cat <({_LIST})")
    assert not _open(ended.out) & {*range(200, 213)}
    for trap in (f"trap '{_LIST}' DEBUG; true", f"trap '{_LIST}' EXIT; exit 3"):
        assert _open((await client.run(trap, is_pty=True)).out) == {0, 1, 2}


async def test_the_daemons_secrets_are_in_no_context(daemon: Daemon, any_client: Client) -> None:
    first = await any_client.run(
        "export SHELLWIRE_JOB=mine SHELLWIRE_TOKEN=mine SHELLWIRE_URL=mine A=1; env"
    )
    assert first.last["committed"]
    second = await any_client.run("env")
    assert "A=1\n" in second.out
    assert "mine" not in second.out
    assert daemon.token not in first.out + second.out
    state = await any_client.ask(
        {"type": "set_context", "env": {"SHELLWIRE_TOKEN": "x", "SHELLWIRE_JOB": "x", "B": "2"}}
    )
    assert state["env"]["B"] == "2"
    assert not {"SHELLWIRE_TOKEN", "SHELLWIRE_JOB"} & state["env"].keys()
    assert "SHELLWIRE_TOKEN" not in (await any_client.run("env", env={"SHELLWIRE_TOKEN": "x"})).out


async def test_our_variables_and_functions_are_not_visible(client: Client) -> None:
    for _ in range(2):
        ended = await client.run("set | grep -i shellwire_; compgen -A function; alias; env | sort")
        assert "__shellwire_s" not in ended.out
        assert "peel" not in ended.out
    state = await client.ask({"type": "get_context"})
    assert not [name for name in state["env"] if name.lower().startswith("__shellwire")]
    environment = await client.run("env -0")
    assert "__shellwire" not in environment.out


async def test_no_file_contains_a_report(client: Client, tmp_path: Path) -> None:
    before = set(os.listdir("/tmp"))
    ended = await client.run(f"export SECRET_VALUE=1; ls -l /tmp {tmp_path} /dev/shm")
    assert ended.last["committed"]
    assert not [name for name in set(os.listdir("/tmp")) - before if "shellwire" in name]


async def test_text_written_to_the_report_is_not_output(any_client: Client) -> None:
    ended = await any_client.run("echo out; echo err >&2; exit 3")
    assert (ended.out, ended.err) == ("out\n", "err\n")
    assert ended.last["bytes"] == {"stdout": 4, "stderr": 4}
