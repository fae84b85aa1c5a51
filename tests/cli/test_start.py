"""``start`` and ``run``: a daemon that serves, or one line that says why not."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from shellwire.cli import main
from shellwire.home import pidfile
from tests.cli.command_line import PROGRAM, SECONDS, CommandLine
from tests.home.helpers import lock_held_elsewhere, mode

TOKEN = "0123456789abcdef" * 4


def test_only_the_first_start_shows_the_token(cli: CommandLine) -> None:
    first = cli.ok("start", "--daemon", "--port", "0")
    token = cli.home.token_file.read_text()
    assert token in first
    assert cli.status()["url"] in first
    assert "auth" in first
    cli.ok("stop")
    second = cli.ok("start", "--daemon", "--port", "0")
    assert token not in second
    assert cli.status()["url"] in second
    assert cli.home.token_file.read_text() == token


@pytest.mark.parametrize("words", ["run --port 0", "start --port 0"])
def test_the_foreground_prints_no_token_to_a_log(cli: CommandLine, words: str) -> None:
    process = cli.begin(*words.split(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    said = "".join(iter(process.stdout.readline, "\n"))  # up to the empty line
    said += "".join(iter(process.stdout.readline, "\n"))
    token = cli.home.token_file.read_text()
    process.terminate()
    rest, _ = process.communicate(timeout=SECONDS)
    assert re.fullmatch(r"[0-9a-f]{64}", token)
    assert token not in said + rest
    assert str(cli.home.token_file) in said


@pytest.mark.needs("/proc")
@pytest.mark.parametrize("words", ["start --daemon", "run"])
def test_no_token_is_in_the_environment_of_the_daemon(cli: CommandLine, words: str) -> None:
    cli.environment |= {"SHELLWIRE_TOKEN": TOKEN, "SHELLWIRE_URL": "ws://127.0.0.1:1"}
    daemon = None
    if words == "run":
        daemon = cli.begin("run", "--port", "0", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert daemon.stdout is not None
        assert "listens at" in daemon.stdout.readline()
    else:
        assert "listens at" in cli.ok("start", "--daemon", "--port", "0")
    pid = json.loads(cli.home.pid_file.read_text())["pid"]
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert TOKEN.encode() not in environment
    assert b"SHELLWIRE_HOME=" in environment
    if daemon is not None:
        daemon.terminate()
        daemon.communicate(timeout=SECONDS)


def test_too_few_descriptors_is_the_reason(cli: CommandLine) -> None:
    start = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh", *PROGRAM, "start", "--daemon"]
    done = subprocess.run(
        start, env=cli.environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: the limit of open files is 64 (ulimit -n), and shellwire needs 256\n"
    )


@pytest.mark.needs("root")
def test_the_home_of_another_user_is_used_only_on_request(cli: CommandLine) -> None:
    cli.home.ensure()
    os.chown(cli.home.root, 4242, 4242)
    said = cli.refused("start", "--daemon", "--port", "0")
    assert f"chown -R 0 {cli.home.root}" in said
    assert said == cli.refused("exec", "true", code=255)
    assert said == cli.refused("status")
    cli.ok("start", "--daemon", "--port", "0", "--insecure-home")
    cli.environment["SHELLWIRE_INSECURE_HOME"] = "1"
    assert cli.ok("exec", "echo hi") == "hi\n"


def test_what_it_writes_is_private(cli: CommandLine) -> None:
    cli.start()
    assert mode(cli.home.root) == 0o700
    files = {file.name: mode(file) for file in cli.home.root.iterdir()}
    assert set(files.values()) == {0o600}
    assert {"auth.token", "daemon.pid", "daemon.log", "daemon.sock"} <= set(files)


def test_the_pid_file_tells_which_process_it_is(cli: CommandLine) -> None:
    status = cli.start()
    record = json.loads(cli.home.pid_file.read_text())
    assert record["pid"] == status["pid"]
    assert record["start_time"] == pidfile.start_time(status["pid"])
    assert record["port"] == status["port"] != 0


def test_a_malformed_token_is_replaced_and_reported(cli: CommandLine) -> None:
    cli.home.ensure()
    cli.home.token_file.write_text("not a token")
    said = cli.ok("start", "--daemon", "--port", "0")
    assert re.search(r"auth\.token held no valid token", said)
    assert cli.home.token_file.read_text() in said


def test_a_home_of_0_1_4_holds(cli: CommandLine) -> None:
    cli.home.root.mkdir(mode=0o755)
    cli.home.token_file.write_text(TOKEN)
    revoked = {"bad": {"first_seen": 1.0, "last_seen": 2.0, "is_revoked": True}}
    cli.home.clients_file.write_text(json.dumps(revoked, indent=2))
    cli.home.pid_file.write_text('{"pid": 1, "start_time": 4711}')
    cli.home.log_file.write_text("2026-01-01 00:00:00,000 INFO shellwire: old\n")
    for file in cli.home.root.iterdir():
        file.chmod(0o644)
    assert TOKEN not in cli.ok("start", "--daemon", "--port", "0")
    assert cli.ok("token") == f"{TOKEN}\n"
    (client,) = json.loads(cli.ok("clients", "list", "--json"))
    assert client == {"client_id": "bad", **revoked["bad"], "is_connected": False}
    assert {mode(file) for file in cli.home.root.iterdir()} == {0o600}
    with pytest.raises(AssertionError, match="CLIENT_REJECTED"), cli.connected("bad"):
        pass
    with cli.connected("good"):
        pass


def test_a_second_daemon_is_refused(cli: CommandLine) -> None:
    status = cli.start()
    line = cli.refused("start", "--daemon", "--port", "0")
    assert f"already running (pid {status['pid']}" in line
    assert "already running" in cli.refused("run", "--port", "0")
    assert cli.status()["pid"] == status["pid"]


def test_of_several_at_once_one_wins(cli: CommandLine) -> None:
    starts = [cli.begin("start", "--daemon", "--port", "0", stdout=-1, stderr=-1) for _ in range(4)]
    for start in starts:
        start.communicate(timeout=SECONDS)
    assert sorted(start.returncode for start in starts) == [0, 1, 1, 1]
    assert cli.status()["running"]


def test_a_daemon_that_is_not_ready_yet_is_one_too(cli: CommandLine) -> None:
    cli.home.ensure()
    with lock_held_elsewhere(cli.home, "daemon_lock"):
        assert "already" in cli.refused("start", "--daemon", "--port", "0")
        assert "already" in cli.refused("run", "--port", "0")


@pytest.mark.long
def test_a_port_in_use_is_reported_and_leaves_no_files(cli: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        for command in (["start", "--daemon"], ["start"], ["run"]):
            done = cli(*command, "--port", port)
            assert done.returncode == 1
            assert port in done.stderr.splitlines()[-1]
            assert "Traceback" not in done.stderr
    assert not cli.home.pid_file.exists()
    assert cli("status").returncode == 3
    # Failed starts don't count: this one shows the new token.
    assert cli.ok("start", "--daemon", "--port", "0").count(cli.home.token_file.read_text()) == 1


def test_a_damaged_clients_file_is_no_reason_to_forget_it(cli: CommandLine) -> None:
    cli.home.ensure()
    cli.home.clients_file.write_text('{"bad": {"is_revo')
    assert "clients.json is damaged" in cli.refused("start", "--daemon", "--port", "0")
    assert "clients.json is damaged" in cli.refused("run", "--port", "0")
    assert cli.home.clients_file.read_text() == '{"bad": {"is_revo'


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_beyond_loopback_only_on_request(cli: CommandLine, host: str) -> None:
    line = cli.refused("start", "--daemon", "--port", "0", "--host", host)
    assert "--insecure-plaintext" in line
    assert "encrypted" in line


@pytest.mark.parametrize(("is_known", "said"), [(True, "--insecure-plaintext"), (False, "listen")])
def test_a_name_is_looked_up_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_known: bool, said: str
) -> None:
    def look_up(host: str, _: object) -> list[object]:
        if not is_known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [host]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)  # name servers differ between machines
    flags = ["start", "--daemon", "--port", "0", "--host", "shell.example"]
    result = CliRunner().invoke(main, flags, env={"SHELLWIRE_HOME": str(tmp_path / "home")})
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1
    assert said in result.output
    assert ("encrypted" in result.output) == is_known
    assert not (tmp_path / "home").exists()


def test_a_name_without_an_address_is_reported(cli: CommandLine) -> None:
    line = cli.refused("start", "--daemon", "--port", "0", "--host", "nowhere.invalid")
    assert line.startswith("Error: cannot listen on nowhere.invalid: ")


def test_on_request_it_listens_everywhere(cli: CommandLine) -> None:
    status = cli.start("--host", "0.0.0.0", "--insecure-plaintext")
    assert status["host"] == "0.0.0.0"
    assert status["url"] == f"ws://127.0.0.1:{status['port']}"


@pytest.mark.parametrize("content", ["garbage", '{"pid": 1, "start_time": 0}'])
def test_a_stale_pid_file_is_no_daemon(cli: CommandLine, content: str) -> None:
    cli.home.ensure()
    cli.home.pid_file.write_text(content)
    assert cli("status").returncode == 3
    assert cli("stop").returncode == 1
    assert cli.start()["running"]


def test_a_killed_daemon_is_followed_by_another(cli: CommandLine) -> None:
    first = cli.start()
    cli.kill_daemon()
    assert cli.home.pid_file.exists()
    assert cli("status").returncode == 3
    assert cli.start()["pid"] != first["pid"]


def test_an_impossible_home_is_reported(cli: CommandLine) -> None:
    cli.home.root.touch()
    for command in (["start", "--daemon"], ["run"], ["status"], ["stop"], ["token"]):
        assert "irectory" in cli.refused(*command)


@pytest.mark.long
def test_a_home_too_deep_for_a_socket_works(tmp_path: Path) -> None:
    cli = CommandLine(tmp_path / ("d" * 120) / ("e" * 120))
    try:
        assert cli.start()["running"]
        cli.ok("clients", "revoke", "a")
        assert json.loads(cli.ok("clients", "list", "--json"))[0]["is_revoked"]
        cli.ok("token", "rotate")
        cli.ok("stop")
        assert not cli.home.socket_file.exists()
    finally:
        cli.end_daemon()
