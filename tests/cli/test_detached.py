"""``exec -d``, jobs by id, prefix and name, and ``logs --tail``."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.command_line import SECONDS, CommandLine, ended
from tests.cli.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

# pexpect calls forkpty(3) in a process with threads. That is safe: exec follows at once.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


def job_of(cli: CommandLine, job_id: str) -> dict[str, Any]:
    """Return a job's entry in ``jobs --json``."""
    (job,) = [each for each in json.loads(cli.ok("jobs", "--json")) if each["id"] == job_id]
    return dict(job)


def name_of(base: str) -> str:
    """Return a name that no other test gives a job of the shared daemon."""
    return f"{base}-{os.getpid()}"


@pytest.mark.long
def test_it_is_started_and_detached(here: CommandLine) -> None:
    name = name_of("build.1")
    with ended(
        here.begin(
            "exec", "-d", "--name", name, "echo  a; cat; echo eof; sleep 1000", stdin=-1, stdout=-1
        )
    ) as process:  # `exec -d` must not read its stdin, which stays open
        assert process.stdout is not None
        printed = process.stdout.readline()
        assert process.wait(SECONDS) == 0
    assert re.fullmatch(r"[0-9a-f]{12}\n", printed)
    job_id = printed.strip()
    with ended(here.begin("logs", "-f", name, stdout=-1)) as logs:
        assert logs.stdout is not None
        assert [logs.stdout.readline() for _ in range(2)] == ["a\n", "eof\n"]
    # While the job lives, no other job may have its name, with -d or without.
    for words in (("exec", "-d", "--name", name, "true"), ("exec", "--name", name, "true")):
        assert here.refused(*words, code=255) == f"Error: name {name} is in use\n"
    here.ok("kill", name)
    assert here.ok("logs", "-f", job_id[:6]) == "a\neof\n"
    again = here.ok("exec", "-d", "--name", name, "true").strip()
    assert job_of(here, again)["name"] == name


@pytest.mark.long
def test_refused_and_failed_starts(here: CommandLine, tmp_path: Path) -> None:
    line = here.refused("exec", "-d", "-C", "/no/such", "true", code=255)
    assert line == "Error: cwd /no/such: there is no such directory\n"
    assert "-d excludes --with" in here.refused(
        "exec", "-d", "--with", str(tmp_path), "true", code=2
    )
    for name in ("", "a b", "a/b", "x" * 65, "é"):
        assert "--name" in here.refused("exec", "--name", name, "true", code=2)


@pytest.mark.long
def test_reattaching_to_a_terminal(here: CommandLine) -> None:
    first = here.ok("exec", "-d", "-t", "--name", name_of("first"), "stty size; exec cat").strip()
    second = here.ok("exec", "-d", "-t", "exec cat").strip()
    here.ok("exec", "-d", "sleep 1000")  # has no terminal
    with Terminal(here, "attach", first) as terminal:
        terminal.does("ab", "ab\r\nab")
        terminal.type("~.")
        assert terminal.exits() == 0
    with Terminal(here, "attach") as terminal:  # the one used last, although it was started first
        terminal.sees("ab\r\nab")
        terminal.child.sendcontrol("c")
        assert terminal.exits() == 130
    with Terminal(here, "attach") as terminal:
        terminal.type("~.")
        assert terminal.exits() == 0
        assert second.encode() in terminal.rest
    here.ok("kill", second)
    while job_of(here, second)["state"] != "ended":
        pass
    assert "no open terminal" in here.refused("attach", code=255)


@pytest.mark.long
def test_a_prefix_of_an_id(cli: CommandLine) -> None:
    cli.start()
    with cli.connected("a") as client:
        for job_id in ("abcd1", "abcd2", "xyz", "xyzw"):
            client.send(json.dumps({"type": "execute", "id": job_id, "command": f"echo {job_id}"}))
            while json.loads(client.recv(SECONDS))["type"] != "result":
                pass
    assert cli.ok("logs", "abcd1") == "abcd1\n"
    assert cli.ok("logs", "xyz") == "xyz\n"  # an exact id wins over a longer one
    line = cli.refused("logs", "abc")
    assert line == "Error: several jobs have ids that begin with abc: abcd1, abcd2\n"
    assert cli.refused("logs", "ab") == "Error: no job has the id ab\n"
    assert cli.refused("logs", "abd") == "Error: no job has the id abd\n"
    # Only the command line resolves prefixes; the protocol does not.
    with cli.connected("b") as client:
        client.send(json.dumps({"type": "read_output", "id": "xy"}))
        assert json.loads(client.recv(SECONDS))["code"] == "NOT_FOUND"


# Lists and output --------------------------------------------------------------------------------


@pytest.mark.long
def test_the_table_of_jobs(cli: CommandLine) -> None:
    cli.start()
    cli.ok("exec", "echo  'a   b'\n:")
    cli.ok("exec", "-s", "kept", ":")
    header, first, second = cli.ok("jobs").splitlines()
    assert header.split() == ["ID", "STATE", "STARTED", "CONTEXT", "COMMAND"]
    place = header.index("CONTEXT")
    assert first[place:].split(maxsplit=1) == ["-", "echo  'a   b'\\n:"]
    assert second[place:].split() == ["kept", ":"]
    cli.ok("exec", "--name", "n", ":")
    header, first, _, last = cli.ok("jobs").splitlines()
    assert header.split()[:2] == ["ID", "NAME"]
    assert (first.split()[1], last.split()[1]) == ("-", "n")
    with cli.connected("app") as client:  # the jobs of a client that may reconnect show `default`
        client.send(json.dumps({"type": "execute", "id": "1", "command": ":"}))
        while json.loads(client.recv(SECONDS))["type"] != "result":
            pass
    assert cli.ok("jobs").splitlines()[-1].split()[-2:] == ["default", ":"]


@pytest.mark.long
def test_the_last_lines(here: CommandLine) -> None:
    def logs(*flags: str) -> tuple[str, str]:
        done = here("logs", *flags, name)
        assert done.returncode == 0
        return done.stdout, done.stderr

    name = name_of("tail")
    command = "echo err >&2; printf '%059d\\n' {1..10000}; printf 'x\\ny'; read stop; echo more"
    with ended(
        here.begin("exec", "--name", name, command, stdin=-1, stdout=-1, stderr=-1)
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        while process.stdout.readline() != "x\n":
            pass
        assert process.stdout.read(1) == "y"
        assert logs("--tail", "0") == ("", "")
        assert logs("--tail", "1") == ("y", "")
        assert logs("--tail", "3") == (f"{10000:059}\nx\ny", "")
        assert logs("--tail", "3002")[0].startswith(f"{7001:059}\n")
        assert logs("--tail", "999999") == logs()
        with ended(
            here.begin("logs", "-f", "--tail", "2", name, stdout=-1, stderr=-3)
        ) as following:
            assert following.stdout is not None
            assert following.stdout.read(2) == "x\n"
            process.stdin.write("\n")
            process.stdin.flush()
            assert following.stdout.read() == "ymore\n"
        assert process.wait(SECONDS) == 0
    assert "--tail" in here.refused("logs", "--tail", "-1", name, code=2)


@pytest.mark.long
def test_tail_of_a_short_output(here: CommandLine) -> None:
    name = name_of("writes")
    here.ok("exec", "-d", "--name", name, "while sleep 0.001; do echo x; done")
    while here.ok("logs", name).count("x") < 3:
        pass
    for _ in range(5):
        assert here.ok("logs", "--tail", "3", name) == "x\nx\nx\n"
    here.ok("kill", name)
