"""Contexts: owners, variables of requests, concurrent commands, limits."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live import Client, Daemon


@pytest.fixture
def name() -> str:
    """Return an unused context name."""
    return f"context-{uuid.uuid4()}"


# Variables of requests ----------------------------------------------------------------------------


async def test_env_of_a_request_is_for_that_request(any_client: Client) -> None:
    await any_client.run("export A=context B=context")
    ended = await any_client.run(
        "echo $A $B $C; export B=command", env={"A": "1", "B": "1", "C": "1"}
    )
    assert ended.out == "1 1 1\n"
    after = await any_client.run("echo $A $B ${C-none}")
    assert after.out == "context command none\n"


async def test_no_request_sets_our_internal_variables(any_client: Client) -> None:
    env = {"__shellwire_s": "7", "__shellwire_r": "", "SHELLWIRE_JOB": "x", "MINE": "1"}
    ran = await any_client.run(
        'echo "$MINE${__shellwire_s-}"; cd /; export KEPT=1; exit 3', env=env
    )
    assert (ran.out, ran.code, ran.last["committed"]) == ("1\n", 3, True)
    message = {"type": "set_context", "env": env}
    assert "__shellwire_s" not in (await any_client.ask(message))["env"]
    assert (await any_client.run('echo "$PWD$KEPT"')).out == "/1\n"


async def test_env_of_a_request_may_be_unset(any_client: Client) -> None:
    await any_client.run("export A=context")
    await any_client.run("unset A B", env={"A": "1", "B": "1"})
    assert (await any_client.run("echo ${A-none} ${B-none}")).out == "none none\n"


async def test_env_of_a_request_goes_before_every_kind_of_variable(client: Client) -> None:
    await client.run("a=(1 2); declare -A m=([k]=v); declare -i i=5; p=plain; declare -n n=i")
    given = dict.fromkeys(["a", "m", "i", "p"], "1+1")
    ended = await client.run("echo $a $m $i $p; env | grep -c '^[amip]=1+1$'", env=given)
    assert ended.out == "1+1 1+1 1+1 1+1\n4\n"
    assert (await client.run("echo ${a[1]} ${m[k]} $((i += 1)) $p $n")).out == "2 v 6 plain 6\n"


async def test_names_that_only_programs_can_use(any_client: Client) -> None:
    ended = await any_client.run("env | grep ^a[.]b=", env={"a.b": "1"})
    assert ended.out in ("a.b=1\n", "")  # dash does not pass it on
    await any_client.ask({"type": "set_context", "env": {"a.b": "2"}})
    await any_client.run("export A=1")
    state = await any_client.ask({"type": "get_context"})
    assert (state["env"]["a.b"], state["env"]["A"]) == ("2", "1")


async def test_defaults_are_not_committed(any_client: Client) -> None:
    first = await any_client.run("echo $PAGER $GIT_PAGER; export PAGER GIT_PAGER")
    assert first.out == "cat cat\n"
    state = await any_client.ask({"type": "get_context"})
    assert not {"PAGER", "GIT_PAGER"} & state["env"].keys()
    await any_client.run("export PAGER=less")
    ended = await any_client.run("echo $PAGER $GIT_PAGER", env={"GIT_PAGER": "more"})
    assert ended.out == "less more\n"


async def test_term_is_set_on_terminals(own_daemon: Callable[..., Daemon]) -> None:
    ours = {"TERM": "eterm", "COLORTERM": "truecolor", "COLUMNS": "7", "LINES": "3", "LANG": "C"}
    client = await own_daemon(env=ours).client()
    # TERM of the daemon's own terminal is not passed on: without a terminal there is no TERM.
    seen = "env | grep -E '^(TERM|COLORTERM|COLUMNS|LINES|LANG)='"
    assert (await client.run(seen)).out == "LANG=C\n"
    assert (await client.run(seen, context="named")).out == "LANG=C\n"
    ended = await client.run(f"{seen} | sort; tput cols", is_pty=True, cols=90)
    assert ended.out == "LANG=C\r\nTERM=xterm-256color\r\n90\r\n"
    assert (await client.run("echo $TERM", is_pty=True)).out == "xterm-256color\r\n"
    assert "TERM" not in (await client.ask({"type": "get_context"}))["env"]
    await client.run("export TERM=vt100")
    assert (await client.run("echo $TERM", is_pty=True)).out == "vt100\r\n"
    await client.close()


async def test_pwd_is_the_contexts_directory(any_client: Client, tmp_path: Path) -> None:
    """``get_context`` returns only values that a program would find in its environment."""
    answer = await any_client.ask({"type": "get_context"})
    assert answer["env"]["PWD"] == answer["cwd"]
    await any_client.run(f"cd /; cd {tmp_path}")
    answer = await any_client.ask({"type": "get_context"})
    assert (answer["cwd"], answer["env"]["PWD"], answer["env"]["OLDPWD"]) == (
        str(tmp_path),
        str(tmp_path),
        "/",
    )
    answer = await any_client.ask({"type": "set_context", "cwd": "/usr", "env": {"PWD": "/x"}})
    assert (answer["cwd"], answer["env"]["PWD"]) == ("/usr", "/usr")


async def test_get_context_returns_the_environment_of_programs(
    own_daemon: Callable[..., Daemon],
) -> None:
    start = {"SHLVL": "7", "_": "/bin/x", "OLDPWD": "/tmp", "PWD": "/nowhere", "BASH_ENV": "/x"}
    client = await own_daemon(env=start).client()
    for _ in range(2):
        answer = (await client.ask({"type": "get_context"}))["env"]
        found = dict(line.partition("=")[::2] for line in (await client.run("env")).out.split("\n"))
        assert {name: found.get(name) for name in answer} == answer
        await client.run("cd /usr; cd /; export SHLVL=3 A=1")
    await client.close()


# Concurrent commands ------------------------------------------------------------------------------


async def test_in_default_the_last_to_finish_wins(any_client: Client, tmp_path: Path) -> None:
    await any_client.run("export A=0 B=0 C=0; cd /")
    fifo = tmp_path / "fifo"
    await any_client.run(f"mkfifo {fifo}")
    slow = await any_client.start(f"export A=slow B=slow; cd /usr; echo up; cat {fifo}")
    await any_client.output_until(slow, "up")
    quick = await any_client.run("export A=quick C=quick; unset NOPE")
    assert quick.last["committed"]
    assert (await any_client.run("echo $A $B $C; pwd")).out == "quick 0 quick\n/\n"
    await any_client.run(f": >{fifo}")
    assert (await any_client.finish(slow)).last["committed"]
    assert (await any_client.run("echo $A $B $C; pwd")).out == "slow slow quick\n/usr\n"


async def test_the_last_wins_for_functions_and_aliases_too(client: Client, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    await client.run(
        f"mkfifo {fifo}; f() {{ echo 0; }}; alias a='echo 0' b='echo 0'\ndeclare -A m=([x]=1 [y]=2)"
    )
    slow = await client.start(f"f() {{ echo slow; }}; unalias a; echo up; cat {fifo}; m[z]=3")
    await client.output_until(slow, "up")
    await client.run("g() { echo quick; }; f() { echo quick; }; alias b='echo quick'")
    await client.run(f": >{fifo}")
    await client.finish(slow)
    after = await client.run("f; g; b\nalias; echo ${#m[@]}")
    assert after.out == "slow\nquick\nquick\nalias b='echo quick'\n3\n"


async def test_a_named_context_runs_one_at_a_time(
    any_client: Client, tmp_path: Path, name: str
) -> None:
    fifo = tmp_path / "fifo"
    await any_client.run(f"mkfifo {fifo}")
    first = await any_client.start(f"export A=1; cat {fifo}", context=name)
    second = await any_client.start("export A=$((A + 1)); echo $A", context=name)
    queued = (await any_client.until("command_queued", id=second))[-1]
    assert queued["position"] == 1
    assert (await any_client.run("echo free")).out == "free\n"
    await any_client.run(f": >{fifo}")
    assert (await any_client.finish(first)).last["committed"]
    assert (await any_client.finish(second)).out == "2\n"


# Owners -------------------------------------------------------------------------------------------


async def test_named_contexts_are_shared_and_default_is_not(daemon: Daemon, name: str) -> None:
    one, two = await daemon.client(), await daemon.client()
    await one.run("A=named; cd /usr", context=name)
    await one.run("A=own; cd /")
    assert (await two.run("echo $A; pwd", context=name)).out == "named\n/usr\n"
    assert (await two.run("echo ${A-none}")).out == "none\n"
    await one.close()
    again = await daemon.client(one.id)
    assert (await again.run("echo $A; pwd")).out == "own\n/\n"
    await again.close()
    await two.close()


async def test_contexts_start_from_the_daemons_environment(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon(
        env={
            "BORN": "yes",
            "BASH_FUNC_born%%": "() { echo function; }",
            "SHELLWIRE_TOKEN": "secret-of-the-daemon",
            "SHELLWIRE_JOB": "secret-of-the-daemon",
        }
    )
    client = await daemon.client()
    await client.run("BORN=no; cd /; unset -f born")
    ended = await client.run("echo $BORN; born; pwd; env", context="new")
    assert ended.out.startswith("yes\nfunction\n")
    assert ended.out.split("\n")[2] != "/"
    assert "secret-of-the-daemon" not in ended.out
    assert daemon.token not in ended.out
    await client.close()


# Setting and resetting ----------------------------------------------------------------------------


async def test_set_and_unset(any_client: Client, name: str) -> None:
    set_ = {"type": "set_context", "context": name}
    await any_client.ask({**set_, "env": {"A": "1", "B": "2"}, "cwd": "/usr"})
    state = await any_client.ask({**set_, "env": {"A": "3"}, "unset": ["B", "never"]})
    assert (state["type"], state["cwd"], state["env"]["A"]) == ("context_state", "/usr", "3")
    assert "B" not in state["env"]
    ended = await any_client.run("echo $A ${B-none}; pwd", context=name)
    assert ended.out == "3 none\n/usr\n"


async def test_a_command_begun_before_a_reset_commits_nothing(
    any_client: Client, tmp_path: Path, name: str
) -> None:
    fifo = tmp_path / "fifo"
    await any_client.run(f"mkfifo {fifo}")
    await any_client.run("export A=before; cd /usr", context=name)
    job = await any_client.start(f"export B=1; echo up; cat {fifo}", context=name)
    await any_client.output_until(job, "up")
    state = await any_client.ask({"type": "reset_context", "context": name})
    assert "A" not in state["env"]
    await any_client.run(f": >{fifo}")
    ended = await any_client.finish(job)
    assert (ended.code, ended.last["committed"]) == (0, False)
    assert [notice["code"] for notice in ended.of_type("notice")] == ["STATE_NOT_KEPT"]
    after = await any_client.run("echo ${A-none} ${B-none}; export C=1", context=name)
    assert (after.out, after.last["committed"]) == ("none none\n", True)


# Limits -------------------------------------------------------------------------------------------


async def test_there_are_at_most_64_named_contexts(own_daemon: Callable[..., Daemon]) -> None:
    client = await own_daemon().client()
    for number in range(64):
        await client.ask({"type": "set_context", "context": f"c{number}"})
    refused = await client.run("true", context="c64")
    assert refused.last["code"] == "INVALID_MESSAGE"
    assert (await client.run("echo ok", context="c63")).out == "ok\n"
    assert (await client.run("echo ok")).out == "ok\n"
    await client.close()


async def test_a_context_holds_one_mebibyte(any_client: Client) -> None:
    await any_client.run("export A=kept")
    grow = "v=0123456789abcdef; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do v=$v$v; done"
    ended = await any_client.run(f"{grow}; export A=$v")
    assert (ended.code, ended.last["committed"]) == (0, False)
    assert [notice["code"] for notice in ended.of_type("notice")] == ["STATE_NOT_KEPT"]
    assert (await any_client.run("echo $A")).out == "kept\n"
    refused = await any_client.ask({"type": "set_context", "env": {"A": "x" * 1024 * 1024}})
    assert refused["code"] == "INVALID_MESSAGE"


@pytest.mark.long
async def test_many_small_variables_never_lock_a_context(any_client: Client) -> None:
    def variables(count: int) -> dict[str, str]:
        return {f"v{number}": "" for number in range(count)}

    # In an environment each takes its name, two bytes and a pointer: 2 MB together.
    refused = await any_client.ask({"type": "set_context", "env": variables(150_000)})
    assert refused["code"] == "INVALID_MESSAGE"
    await any_client.ask({"type": "set_context", "env": variables(8_000)})
    ended = await any_client.run("env | grep -c ^v; export A=1")
    assert (ended.out, ended.last["committed"]) == ("8000\n", True)


async def test_an_environment_too_large_to_start_with(any_client: Client) -> None:
    env = {f"v{number}": "x" * 100_000 for number in range(80)}
    ended = await any_client.run("echo ran", env=env)
    assert ended.last["reason"] == "spawn_failed"
    assert "Argument list too long" in ended.last["error"]
    assert (await any_client.run("echo ran")).out == "ran\n"


async def test_one_variable_too_long_for_the_system(any_client: Client) -> None:
    ended = await any_client.run("echo ${#A}", env={"A": "x" * 300_000})
    assert ended.out == "300000\n"
    assert (await any_client.ask({"type": "set_context", "env": {"A": "y" * 300_000}}))["type"]
    ended = await any_client.run("echo ${#A}; export A=1")
    assert (ended.out, ended.last["committed"]) == ("300000\n", True)
    assert (await any_client.run("echo $A; env | grep ^A=")).out == "1\nA=1\n"
