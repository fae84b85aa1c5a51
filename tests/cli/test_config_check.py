"""`config check`: each line that a file gets, alone and compared with a running daemon."""

from __future__ import annotations

import contextlib
import json
import subprocess
from typing import TYPE_CHECKING, Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shellwire.cli.options import SETTINGS
from shellwire.errors import InvalidSettings
from shellwire.home import pidfile
from shellwire.home.config import read_config
from shellwire.home.hosts import Host, save_host
from tests.cli.command_line import ended

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.command_line import CommandLine


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "new.toml"


def check(cli: CommandLine, file: Path, text: str) -> tuple[int, list[str], str]:
    """Return exit code, findings and stderr for a file with this text."""
    file.write_text(text)
    done = cli("config", "check", str(file))
    return done.returncode, done.stdout.splitlines(), done.stderr


def write(cli: CommandLine, text: str) -> None:
    cli.home.ensure()
    cli.home.config_file.write_text(text)


# The text, and what its only line says after the file's name.
REFUSED = [
    ("\nprot = 1", "2: prot: unknown setting (is port meant?)"),
    ("[limits]\nmax_client = 1", "2: limits.max_client: unknown setting (is limits.max_clients"),
    ("[tls]\ncert = 'x'", "1: tls: unknown setting"),
    ("'limits.retain' = 1", '1: "limits.retain": unknown setting (is limits.retain meant?)'),
    ("'' = 1", '1: "": unknown setting'),
    (r'"\u001b[2J\n" = 1', r'1: "\u001b[2J\n": unknown setting'),
    ("limits = 1", "1: limits: expected a table, [limits]"),
    ("port = '1'", "1: port: expected an integer"),
    ("port = 65536", "1: port: 65536 is not in the range 0<=x<=65535"),
    ("allow_host = ['*']", "1: allow_host: '*' would have no effect: no Host header can match"),
    ("host = '0.0.0.0'", "1: host: 0.0.0.0 is not a loopback address, and nothing is encrypted"),
    ("a = 1\nport =", "2: it is not TOML: Invalid value ("),
    ("insecure_home = true", "1: insecure_home: only an option, --insecure-home, or its variable"),
    ("[limits]\ninsecure_home = true", "2: limits.insecure_home: only an option, --insecure-home,"),
    ("shell = 'no-such-shell'", "1: shell: 'no-such-shell' is not an executable file"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_what_no_daemon_would_start_with(
    cli: CommandLine, file: Path, text: str, said: str
) -> None:
    code, lines, stderr = check(cli, file, text)
    if text.startswith("a = 1"):
        assert len(lines) == 1
    assert lines[-1].startswith(f"refused:    {file}:{said}")
    assert (code, stderr) == (1, f"Error: {file}: {len(lines)} refused\n")
    assert not cli.home.root.exists()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "limits.", "x.", "limits.port."]),
            st.sampled_from(["port", "host", "retain", "max_client", "limits", "''", "'a.b'"]),
            st.sampled_from(["= 1", "= 'a'", "= []", "= {}", "= 1979-05-27", "= nan", "= [[1]]"]),
        )
    ),
    st.sampled_from(["", "[limits]", "[x]", "[[limits]]", "[limits.port]", "[host]"]),
)
def test_any_file_is_settings_or_one_line_a_fault(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str, str]], header: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(
        "\n".join(["".join(lines[0]) if lines else "", header, *map("".join, lines[1:])])
    )
    with contextlib.suppress(InvalidSettings):
        found = read_config(path)
        entries, problems = SETTINGS[0].file.check(found, click.Context(click.Command("x")))
        assert all("\n" not in each.key + each.reason for each in problems)
        numbers = [each.line for each in problems] + [each.line for each in entries.values()]
        assert all(1 <= number <= len(lines) + 2 for number in numbers)
        assert numbers or not any(entry.value for entry in found.values())


def test_every_fault_has_its_line(cli: CommandLine, file: Path) -> None:
    code, lines, _ = check(cli, file, "prot = 1\ngrace = 'x'\n[limits]\nbufer = 1\nretain = -1\n")
    assert code == 1
    assert [line.split(": ")[1:3] for line in lines] == [
        [f"   {file}:1", "prot"],
        [f"   {file}:2", "grace"],
        [f"   {file}:4", "limits.bufer"],
        [f"   {file}:5", "limits.retain"],
    ]


def test_a_file_that_breaks_nothing(cli: CommandLine, file: Path) -> None:
    text = "port = 1\n[limits]\nmax_clients = 3\n"
    assert check(cli, file, text) == (0, [f"{file} changes nothing that is in use"], "")
    done = json.loads(cli.ok("config", "check", "--json", str(file)))
    assert done == {"file": str(file), "ok": True, "findings": []}
    cli.environment["SHELLWIRE_INSECURE_PLAINTEXT"] = "1"
    assert check(cli, file, "host = '0.0.0.0'")[0] == 0


def test_wrong_use(cli: CommandLine, file: Path) -> None:
    assert "does not exist" in cli.refused("config", "check", str(file), code=2)
    assert "is a directory" in cli.refused("config", "check", str(file.parent), code=2)
    assert "Missing argument" in cli.refused("config", "check", code=2)
    file.touch()
    cli.environment["SHELLWIRE_PORT"] = "many"
    assert "SHELLWIRE_PORT" in cli.refused("config", "check", str(file), code=2)


def test_its_own_file_changes_nothing(cli: CommandLine) -> None:
    write(cli, "allow_host = ['a']\nmax_queue = 3\n[limits]\nretain = 9\n")
    cli.start("--grace", "1", "--allow-origin", "https://a")
    assert "changes nothing" in cli.ok("config", "check", str(cli.home.config_file))


def test_what_only_a_restart_applies(cli: CommandLine, file: Path) -> None:
    write(cli, "log_level = 'debug'\n[limits]\nmax_queue = 3\n")
    cli.start()
    text = "log_level = 'DEBUG'\ngrace = 5\ncompress = true\n[limits]\nretain = 9\n"
    assert check(cli, file, text) == (
        0,
        [
            f"restart:    {file}:3: compress: false becomes true at the next restart",
            f"restart:    {file}:5: limits.retain: 86400.0 becomes 9.0 at the next restart",
            f"restart:    {file}: limits.max_queue: 3 becomes 16 at the next restart",
        ],
        "",
    )


def test_what_the_command_line_overrides(cli: CommandLine, file: Path) -> None:
    cli.environment["SHELLWIRE_MAX_QUEUE"] = "2"
    cli.start("--insecure-plaintext")
    del cli.environment["SHELLWIRE_MAX_QUEUE"]
    code, lines, _ = check(cli, file, "host = '0.0.0.0'\nport = 9\n[limits]\nmax_queue = 4\n")
    assert code == 0
    assert lines == [
        f'restart:    {file}:1: host: "127.0.0.1" becomes "0.0.0.0" at the next restart',
        f"overridden: {file}:2: port: the daemon was started with --port or SHELLWIRE_PORT, which"
        " override the file",
        f"overridden: {file}:4: limits.max_queue: the daemon was started with --max-queue or"
        " SHELLWIRE_MAX_QUEUE, which override the file",
    ]


def breaks(cli: CommandLine, file: Path, text: str) -> list[str]:
    """Return what is after "breaks" in each line, without the file's name."""
    code, lines, stderr = check(cli, file, text)
    found = [line.partition(str(file))[2] for line in lines if line.startswith("breaks: ")]
    assert code == bool(found), lines
    assert (f"{len(found)} breaks" in stderr) == bool(found)
    return found


def test_what_clients_and_jobs_would_lose(cli: CommandLine, file: Path) -> None:
    origins = ["https://a", "https://b"]
    write(
        cli,
        f"allow_origin = {origins}\nallow_host = ['a', 'b']\n"
        "[limits]\nmax_clients = 3\nmax_processes = 2\n",
    )
    cli.start("--grace", "0")
    for _ in range(3):
        cli.ok("exec", "-d", "sleep 1000")
    limits = "[limits]\nmax_clients = 3\nmax_processes = 2\n"
    names = f"allow_origin = {origins}\nallow_host = ['a', 'b']\n"
    with cli.connected("one"), cli.connected("two"):
        assert breaks(cli, file, names + limits) == []
        assert breaks(
            cli, file, f"allow_origin = ['https://b']\nallow_host = ['b', 'c']\n{limits}"
        ) == [
            ':1: allow_origin: ["https://a", "https://b"] becomes ["https://b"]: https://a would be'
            " refused",
            ':2: allow_host: ["a", "b"] becomes ["b", "c"]: a would be refused',
        ]
        assert breaks(cli, file, f"{names}max_processes = 1\nmax_clients = 1\nmax_queue = 0\n") == [
            ":3: limits.max_processes: 2 becomes 1: 2 commands and sessions run now",
            ":4: limits.max_clients: 3 becomes 1: 2 clients are connected now (one, two)",
            ":5: limits.max_queue: 16 becomes 0: 1 commands are queued now",
        ]
        assert breaks(cli, file, f"{names}[limits]\nmax_clients = 2\nmax_processes = 2\n") == []
    _, lines, _ = check(cli, file, names)
    pid = cli.status()["pid"]
    assert lines[-1].endswith(f": a restart of the daemon (pid {pid}) ends 3 of its jobs")


def test_a_running_command_with_more_output(cli: CommandLine, file: Path) -> None:
    cli.start("--grace", "0")
    words = ("exec", "head -c 5000 /dev/zero; sleep 1000")
    with ended(cli.begin(*words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)) as command:
        assert command.stdout is not None
        command.stdout.read(5000)
        (line,) = breaks(cli, file, "[limits]\nmax_output = 4999\n")
        assert "limits.max_output: 67108864 becomes 4999: running commands have more output" in line
        assert breaks(cli, file, "max_output = 5000") == breaks(cli, file, "max_output = 0") == []


@pytest.fixture
def by_file(cli: CommandLine) -> dict[str, Any]:
    """Start a daemon whose port is in its file; return its status."""
    cli.ok("start", "--daemon", "--port", "0")  # finds a free port
    port = cli.status()["port"]
    cli.ok("stop")
    write(cli, f"port = {port}\n")
    cli.ok("start", "--daemon")
    return cli.status()


def test_who_uses_the_address(cli: CommandLine, file: Path, by_file: dict[str, Any]) -> None:
    port = by_file["port"]
    assert breaks(cli, file, "port = 9") == []  # nobody has used it yet
    with cli.connected("phone"):
        pass
    save_host(cli.home, "here", Host(f"ws://localhost:{port}", "x"))
    save_host(cli.home, "there", Host("wss://box.example", "x"))
    save_host(cli.home, "bad", Host("ws://[", "x"))
    users = "(host here, client phone)"
    assert breaks(cli, file, "port = 9") == [
        f":1: port: {port} becomes 9: clients no longer reach it at port {port} {users}"
    ]
    assert breaks(cli, file, f"port = {port}\nhost = '::1'") == [
        f':2: host: "127.0.0.1" becomes "::1": clients no longer reach it at 127.0.0.1 {users}'
    ]
    assert breaks(cli, file, f"port = {port}\nhost = 'localhost'") == []


def test_a_daemon_that_does_not_tell(cli: CommandLine, file: Path) -> None:
    cli.start()
    record = json.loads(cli.home.pid_file.read_text())
    del record["settings"]  # as an earlier release writes it
    cli.home.pid_file.write_text(json.dumps(record))
    code, lines, stderr = check(cli, file, "port = 1")
    assert (code, stderr) == (1, f"Error: {file}: 1 unchecked\n")
    assert lines[0].endswith(f"the running daemon (pid {record['pid']}) does not tell its settings")


@pytest.mark.parametrize("settings", [{}, {"given": 7}, {"given": [[], "x"], "port": []}, []])
def test_a_pid_file_with_other_settings(cli: CommandLine, file: Path, settings: object) -> None:
    cli.start()
    record = json.loads(cli.home.pid_file.read_text())
    cli.home.pid_file.write_text(json.dumps({**record, "settings": settings}))
    code, _, stderr = check(cli, file, "port = 1")
    assert code in (0, 1)
    assert "unexpected" not in stderr


def test_a_daemon_that_does_not_answer(cli: CommandLine, file: Path) -> None:
    cli.start()
    cli.home.socket_file.unlink()
    code, lines, stderr = check(cli, file, "max_clients = 2\nmax_processes = 2\nretain = 1")
    assert (code, stderr) == (1, f"Error: {file}: 3 unchecked\n")
    where = f"{cli.home.socket_file}: "
    assert f"unchecked:  {file}:2: limits.max_processes: 4 becomes 2; {where}" in lines[1]
    assert lines[2].startswith(f"restart:    {file}:3: limits.retain: ")
    assert lines[3].startswith(f"unchecked:  {file}: {where}")


def test_the_pid_file_is_removed_at_the_stop(cli: CommandLine) -> None:
    cli.start("--allow-host", "a", "--idle-timeout", "3")
    record = pidfile.read_live(cli.home)
    assert record is not None
    assert record.settings is not None
    assert record.settings["allow_host"] == ["a"]
    assert set(record.settings["given"]) >= {"port", "allow_host", "idle_timeout"}
    cli.ok("stop")
    assert not cli.home.pid_file.exists()
