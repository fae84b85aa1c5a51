"""State is carried from one command to the next in every shell, however the command ends."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.live import Client


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("exit 3", 3),
        ("false", 1),
        ("set -e; false; true", 1),
        ("set -u; echo $nope", None),
        ("if", 2),
        (")", 2),
        ("IFS=0123; false", 1),
        ("exec nosuch", 127),
        ("trap 'echo bye' EXIT; false", 1),
        ("set -C; set -f; set -a; set -v; exit 3", 3),
        ("exec 0<&- 1>&- 2>&-; exit 3", 3),
        ("ulimit -n 20; exit 3", 3),
        ("unset PATH; exit 3", 3),
        ("f() { exit 3; }; f", 3),
    ],
)
async def test_a_command_commits_however_it_ends(
    any_client: Client, ending: str, code: int | None
) -> None:
    first = await any_client.run(f"export A=1; cd /usr\n{ending}")
    assert (first.last["committed"], first.last["cwd"]) == (True, "/usr")
    assert first.code == code or (code is None and first.code in (1, 2, 127))
    second = await any_client.run("PATH=/bin:/usr/bin; echo $A; pwd; echo $-; cat /dev/fd/0")
    assert second.out.splitlines()[:2] == ["1", "/usr"]
    assert not set("eufavCx") & set(second.out.splitlines()[2])


@pytest.mark.parametrize("ending", ["exec true", "kill -9 $$"])
async def test_without_a_report_nothing_is_committed(any_client: Client, ending: str) -> None:
    await any_client.run("export A=1; cd /usr")
    second = await any_client.run(f"export A=2; cd /; {ending}")
    assert (second.last["committed"], second.last["cwd"]) == (False, "/usr")
    assert (await any_client.run("echo $A; pwd")).out == "1\n/usr\n"


async def test_a_signal_commits_in_bash(client: Client) -> None:
    for signal, name in ((15, "TERM"), (2, "INT"), (1, "HUP")):
        ended = await client.run(f"A={signal}; kill -{name} $$; A=0")
        assert (ended.code, ended.last["signal"], ended.last["committed"]) == (
            -signal,
            f"SIG{name}",
            True,
        )
        assert (await client.run("echo $A")).out == f"{signal}\n"


async def test_removals_are_kept(any_client: Client) -> None:
    await any_client.run("export A=1 B=2")
    await any_client.run("unset A; exit 1")
    assert (await any_client.run("echo ${A-none} $B")).out == "none 2\n"


async def test_all_kinds_of_bash_state(client: Client) -> None:
    first = await client.run(
        "a=(1 '2 3' $'4\\n5')\ndeclare -A m=([k v]=1 [']']=2); declare -i i=5; declare -l low=ABC\n"
        "declare -n ref=i; plain='x y'; export e; export both=1; readonly r=1\n"
        "shopt -s extglob\nf() { case $1 in @(a|b)) cat <<EOF\n$1 $plain\nEOF\n;; esac; }\n"
        "export -f f; alias greet='echo \"it'\\''s\"'\nfoo-bar() { echo dashed; }"
    )
    assert first.last["committed"]
    second = await client.run(
        'printf "[%s]" "${a[@]}" "${m[k v]}" "${m["]"]}" "$low" "$plain" "${r-none}"'
        "\ni+=1; ref+=2; echo; echo $i; low=XYZ; echo $low\n"
        "shopt -p extglob; shopt -s extglob; f b; foo-bar; greet; bash -O extglob -c 'f a'"
    )
    assert second.out == (
        "[1][2 3][4\n5][1][2][abc][x y][none]\n8\nxyz\nshopt -u extglob\nb x y\ndashed\nit's\na \n"
    )


async def test_readonly_variables_are_not_kept_and_delete_nothing(client: Client) -> None:
    await client.run("A=old")
    assert (await client.run("declare -r A=new B=new")).last["committed"]
    assert (await client.run("echo $A ${B-none}; A=again")).out == "old none\n"


@pytest.mark.parametrize("declaration", ["", "-x ", "-a ", "-A ", "-i ", "-r ", "-n "])
async def test_exit_in_a_function_keeps_the_globals(client: Client, declaration: str) -> None:
    value = {"-a ": "(9)", "-A ": "([k]=9)", "-n ": "other"}.get(declaration, "9")
    await client.run("export A=1; arr=(1 2); declare -i int=3")
    ended = await client.run(
        f"inner() {{ local {declaration}A={value} arr only=1; G=new; exit 4; }}\n"
        f"outer() {{ local A=8 int=x; inner; }}; B=2; outer"
    )
    assert (ended.code, ended.last["committed"]) == (4, True)
    after = await client.run("echo $A ${arr[*]} $int $B $G ${only-none}; bash -c 'echo $A'")
    assert after.out == "1 1 2 3 2 new none\n1\n"


@pytest.mark.parametrize(
    "name", ["cd", "export", "declare", "printf", "exit", "exec", "trap", "eval", "alias", "pwd"]
)
async def test_a_function_may_have_the_name_of_a_builtin(client: Client, name: str) -> None:
    first = await client.run(f"A=1; {name}() {{ echo mine; }}")
    assert first.last["committed"]
    second = await client.run(f"{name} /; echo $A; B=2; f() {{ :; }}; \\builtin cd /usr")
    assert second.out == "mine\n1\n"
    assert (second.last["committed"], second.last["cwd"]) == (True, "/usr")
    third = await client.run(f"unset -f {name}; echo $B; type -t {name} f")
    assert third.out == "2\nbuiltin\nfunction\n"


async def test_a_function_called_builtin_commits_nothing(client: Client) -> None:
    await client.run("A=1")
    assert not (await client.run("A=2; builtin() { :; }")).last["committed"]
    assert (await client.run("echo $A; A=3")).out == "1\n"
    assert (await client.run("echo $A")).out == "3\n"


async def test_functions_that_cannot_be_told_apart_commit_nothing(client: Client) -> None:
    ended = await client.run("A=1\na() { cat <<'EOF'\nb () \n{\nEOF\n}; b() { :; }")
    assert not ended.last["committed"]
    assert [n["code"] for n in ended.of_type("notice")] == ["STATE_NOT_KEPT"]
    assert (await client.run("echo ${A-none}; A=2")).last["committed"]


async def test_a_virtual_environment_is_left_in_a_later_command(client: Client) -> None:
    await client.run(
        "activate() { _OLD_VIRTUAL_PATH=$PATH; PATH=/venv/bin:$PATH; export PATH\n"
        "export VIRTUAL_ENV=/venv\n"
        "deactivate() { PATH=$_OLD_VIRTUAL_PATH; unset _OLD_VIRTUAL_PATH VIRTUAL_ENV\n"
        "unset -f deactivate; }; }; activate"
    )
    assert (
        await client.run("echo ${PATH%%:*} $VIRTUAL_ENV; deactivate")
    ).out == "/venv/bin /venv\n"
    last = await client.run("echo ${PATH%%:*} ${VIRTUAL_ENV-none}; declare -F deactivate")
    assert "/venv" not in last.out
    assert last.out.endswith(" none\n")


async def test_options_traps_and_jobs_are_not_carried(client: Client) -> None:
    await client.run(
        "set -euxvf -o pipefail -o posix -o noclobber; shopt -s nullglob dotglob; umask 077\n"
        "trap 'echo D' DEBUG; trap 'echo E' ERR; trap 'echo R' RETURN; trap 'echo U' USR1\n"
        "exec 7>/dev/null; IFS=x; OPTIND=5; PS4=leak; BASH_COMPAT=4.2; ulimit -n 100"
    )
    fresh = 'echo $-; set +o; shopt -p; trap -p USR1; umask; echo "$IFS$OPTIND$PS4"; ulimit -n'
    here = await client.run(fresh)
    there = await client.run(fresh, context=f"context-{uuid.uuid4()}")
    assert here.out == there.out
    assert here.err == ""


async def test_set_x_shows_only_the_command(client: Client) -> None:
    ended = await client.run("set -x; a=1; true")
    assert ended.err == "++ a=1\n++ true\n"
    assert (await client.run("echo $a")).err == ""


@pytest.mark.parametrize("is_pty", [False, True])
async def test_large_values(client: Client, is_pty: bool) -> None:
    first = await client.run("export big=$(printf '%*s' 200000 x); small=$big", is_pty=is_pty)
    assert first.last["committed"]
    second = await client.run("echo ${#big} ${#small}; big=1; bash -c 'echo $big'", is_pty=is_pty)
    assert second.out.split() == ["200000", "200000", "1"]


async def test_every_byte_of_a_value(any_client: Client) -> None:
    octal = "".join(f"\\{byte:03o}" for byte in range(1, 256))
    await any_client.run(f"export A=\"$(printf '{octal}x')\"")
    # Without a locale, the shell and od(1) treat bytes as characters.
    seen = await any_client.run('printf %s "$A" | od -An -v -tu1', env={"LC_ALL": "C"})
    assert list(map(int, seen.out.split())) == [*range(1, 256), ord("x")]


async def test_a_terminal_carries_state_too(any_client: Client) -> None:
    first = await any_client.run("export A=1; cd /usr; exit 3", is_pty=True)
    assert (first.code, first.last["committed"], first.last["cwd"]) == (3, True, "/usr")
    second = await any_client.run("echo $A; pwd; export A=2", is_pty=True)
    assert second.out == "1\r\n/usr\r\n"
    assert (await any_client.run("echo $A")).out == "2\n"


@pytest.mark.parametrize("command", ["", "  ", "# only a comment", "\n\n"])
async def test_an_empty_command(any_client: Client, command: str) -> None:
    ended = await any_client.run(command)
    assert (ended.code, ended.out, ended.err, ended.last["committed"]) == (0, "", "", True)


async def test_commands_of_any_length(any_client: Client) -> None:
    lines = "x" * 99 + "\n"
    ended = await any_client.run(f"cat <<'EOF' | wc -c\n{lines * 10_000}EOF")
    assert ended.out.strip() == "1000000"
    ended = await any_client.run(f": '{lines * 100_000}'; echo done; export A=1")
    assert (ended.out, ended.last["committed"]) == ("done\n", True)


async def test_a_missing_locale_is_reported_once(client: Client) -> None:
    await client.run("export LC_ALL=xx_XX.nowhere LANG=xx_XX.nowhere")
    ended = await client.run("echo $LC_ALL; bash -c : 2>/dev/null")
    assert (ended.out, ended.err) == ("xx_XX.nowhere\n", "")


async def test_posix_mode_in_the_environment_has_no_effect(client: Client) -> None:
    await client.run("f-g() { echo f; }")
    ended = await client.run("set -o | grep posix; A=1", env={"POSIXLY_CORRECT": "1"})
    assert (ended.out.split(), ended.last["committed"]) == (["posix", "on"], True)
    after = await client.run("f-g; echo $A; set -o | grep posix")
    assert after.out.split() == ["f", "1", "posix", "off"]
