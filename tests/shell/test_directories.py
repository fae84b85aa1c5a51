"""Working directories: logical paths, removed directories, names of any bytes."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

import pytest

from shellwire.shell.bash import Bash
from shellwire.shell.context import Context
from shellwire.shell.dialect import CannotEnter
from shellwire.shell.posix import Posix
from shellwire.shell.quoting import quote
from shellwire.shell.state import State
from tests.shell.shells import TOKEN, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live import Client


async def test_the_last_directory_is_remembered(any_client: Client) -> None:
    await any_client.run("cd /usr")
    await any_client.run("cd /bin/..; cd /tmp")
    back = await any_client.run("cd -; cd - >/dev/null; cd -")
    assert back.out == "/\n/\n"
    assert back.last["cwd"] == "/"
    assert (await any_client.run("echo $OLDPWD; env | grep -c ^OLDPWD=")).out == "/tmp\n1\n"


async def test_at_first_there_is_no_last_directory(any_client: Client) -> None:
    # The daemon may have been started in a shell with an OLDPWD.
    await any_client.ask({"type": "set_context", "unset": ["OLDPWD"]})
    ended = await any_client.run("echo ${OLDPWD-none}")
    assert ended.out == "none\n"


async def test_paths_stay_logical(any_client: Client, tmp_path: Path) -> None:
    (tmp_path / "real" / "sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    first = await any_client.run(f"cd {tmp_path}/link/sub")
    assert first.last["cwd"] == f"{tmp_path}/link/sub"
    second = await any_client.run("pwd; pwd -P; cd ..")
    assert second.out == f"{tmp_path}/link/sub\n{tmp_path}/real/sub\n"
    assert second.last["cwd"] == f"{tmp_path}/link"


@pytest.mark.parametrize(
    "name", [b"a b", b"a\nb", b"b\n", b'it\'s "$x" `y` \\', b"\xff\xfe", b"-", b"-P", b"*", b"\x01"]
)
async def test_names_of_any_bytes(any_client: Client, tmp_path: Path, name: bytes) -> None:
    path = os.fsencode(tmp_path) + b"/" + name
    os.mkdir(path)
    script = tmp_path / "go.sh"
    script.write_bytes(b"cd -- " + quote(path))
    first = await any_client.run(f". {script}")
    assert (first.err, first.last["committed"]) == ("", True)
    assert first.last["cwd"] == path.decode(errors="replace")
    await any_client.run("echo here >file")
    assert os.listdir(path) == [b"file"]
    again = await any_client.run("cat file; cd ..; cd - >/dev/null; cat file")
    assert again.out == "here\nhere\n"


async def test_a_removed_directory(any_client: Client, tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    first = await any_client.run(f"cd {deep}; rm -r {tmp_path}/a/b; true")
    assert first.last["committed"]
    second = await any_client.run("pwd")
    assert (second.out, second.last["cwd"]) == (f"{tmp_path}/a\n", f"{tmp_path}/a")
    kinds = [message["type"] for message in second.messages]
    assert kinds.index("notice") < kinds.index("result")
    notice = second.of_type("notice")[0]
    assert notice["code"] == "CWD_GONE"
    assert str(deep) in notice["message"]
    assert not (await any_client.run("pwd")).of_type("notice")


async def test_a_request_may_name_its_directory(any_client: Client, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    await any_client.run(f"cd {tmp_path}")
    for cwd, path in (
        ("/usr", "/usr"),
        ("sub", f"{tmp_path}/sub"),
        ("sub/..", f"{tmp_path}"),
        ("..", f"{tmp_path.parent}"),
        ("/usr//bin/../", "/usr"),
        (".", f"{tmp_path}"),
    ):
        ended = await any_client.run("pwd", cwd=cwd)
        assert (ended.out, ended.last["cwd"]) == (f"{path}\n", str(tmp_path))
    moved = await any_client.run("cd bin", cwd="/usr")
    assert moved.last["cwd"] == "/usr/bin"
    assert (await any_client.run("pwd")).out == "/usr/bin\n"


async def test_a_requested_directory_that_does_not_exist(any_client: Client) -> None:
    ended = await any_client.run("export A=1; echo ran", cwd="/nonexistent/x")
    assert (ended.last["reason"], ended.out) == ("spawn_failed", "")
    assert "/nonexistent/x" in ended.last["error"]
    assert (await any_client.run("echo ${A-none}")).out == "none\n"


async def test_a_requested_directory_works_when_the_contexts_is_gone(
    any_client: Client, tmp_path: Path
) -> None:
    await any_client.run(f"mkdir {tmp_path}/gone; cd {tmp_path}/gone; rmdir ../gone")
    assert not (await any_client.run("pwd", cwd="/usr")).of_type("notice")
    assert (await any_client.run("pwd")).out == f"{tmp_path}\n"


async def test_set_context_takes_a_directory(any_client: Client, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    name = f"context-{uuid.uuid4()}"
    for cwd, path in ((str(tmp_path), tmp_path), ("sub", tmp_path / "sub"), ("..", tmp_path)):
        state = await any_client.ask({"type": "set_context", "context": name, "cwd": cwd})
        assert (state["type"], state["cwd"]) == ("context_state", str(path))
    ended = await any_client.run("pwd", context=name)
    assert (ended.out, ended.last["cwd"]) == (f"{tmp_path}\n", str(tmp_path))
    wrong = await any_client.ask({"type": "set_context", "context": name, "cwd": "/nonexistent"})
    assert wrong["code"] == "INVALID_MESSAGE"


@pytest.mark.parametrize("kind", [Bash, pytest.param(Posix, marks=pytest.mark.needs("dash"))])
def test_a_shell_that_cannot_enter_reports_it(
    kind: type[Bash | Posix], shell_path: Callable[[str], str], birth: State
) -> None:
    shell = kind(shell_path("bash" if kind is Bash else "dash"))
    start = State(birth.cwd + b"/nonexistent", birth.variables)
    ended = run(shell, start, b"echo ran")
    assert (ended.out, ended.err) == (b"", b"")
    with pytest.raises(CannotEnter):
        shell.payload(ended.report, TOKEN)


@pytest.mark.needs("no-root")
def test_an_inaccessible_directory_counts_as_gone(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    context = Context(State(os.fsencode(closed)))
    origin, gone = context.make_origin(env={}, terminal=False)
    assert (origin.state.cwd, gone) == (os.fsencode(tmp_path), os.fsencode(closed))


async def test_a_path_longer_than_path_max(client: Client, tmp_path: Path) -> None:
    ended = await client.run(
        f"cd {tmp_path}; d={'d' * 250}; for i in {{1..20}}; do mkdir $d && cd $d; done; A=1"
    )
    assert ended.last["committed"]
    after = await client.run(f"echo $A; cd {tmp_path}; rm -r d*")
    assert after.out == "1\n"
    assert [notice["code"] for notice in after.of_type("notice")] == ["CWD_GONE"]
