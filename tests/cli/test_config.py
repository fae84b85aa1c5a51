"""The settings file: valid keys, precedence, and `config show`."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from shellwire.home.settings import Settings

if TYPE_CHECKING:
    from tests.cli.command_line import CommandLine

COMMANDS = (["start", "--daemon"], ["run"], ["config", "show"])


def write(cli: CommandLine, text: str) -> None:
    cli.home.ensure()
    cli.home.config_file.write_text(text)


def shown(cli: CommandLine) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(cli.ok("config", "show", "--json"))
    return found


def test_without_a_file_the_defaults_hold(cli: CommandLine) -> None:
    del cli.environment["SHELLWIRE_LOGIN_ENV"]
    assert "(does not exist)" in cli.ok("config", "show")
    found = shown(cli)
    assert {each["source"] for each in found.values()} == {"default"}
    defaults = json.loads(json.dumps({"daemon": False, **asdict(Settings())}))
    del defaults["given"]
    assert {name: each["value"] for name, each in found.items()} == defaults
    assert not cli.home.root.exists()


def test_each_value_says_where_it_came_from(cli: CommandLine) -> None:
    write(cli, '# mine\nport = 1\nhost = "::1"\nallow_host = [\n  "a",\n  "b",\n]\n')
    cli.environment |= {"SHELLWIRE_PORT": "2", "SHELLWIRE_ALLOW_ORIGIN": "app://a app://b"}
    found = shown(cli)
    assert found["port"] == {"value": 2, "source": "environment", "where": "SHELLWIRE_PORT"}
    where = f"{cli.home.config_file}:4"
    assert found["allow_host"] == {"value": ["a", "b"], "source": "file", "where": where}
    assert found["allow_origin"]["value"] == ["app://a", "app://b"]
    assert found["grace"] == {"value": 5.0, "source": "default", "where": None}


def test_what_it_shows_is_a_settings_file(cli: CommandLine) -> None:
    write(cli, 'port = 1\ngrace = 2\nallow_host = ["é"]\nrewrite = false\nlog_level = "debug"\n')
    text = cli.ok("config", "show")
    assert re.search(rf"^port = 1 +# {cli.home.config_file}:1$", text, re.MULTILINE)
    before = shown(cli)
    del cli.environment["SHELLWIRE_LOGIN_ENV"]
    assert tomllib.loads(text)["log_level"] == "DEBUG"
    assert tomllib.loads(text)["limits"]["max_clients"] == 1
    write(cli, text)
    assert {name: each["value"] for name, each in shown(cli).items()} == {
        name: each["value"] for name, each in before.items()
    }


@pytest.mark.parametrize(
    "text",
    [
        "[limits]\nmax_clients = 3\nretain = 5",
        "limits.max_clients = 3\nlimits.retain = 5",
        "limits = {max_clients = 3, retain = 5}",
        "max_clients = 3\nretain = 5",  # as before there were tables
        "max_clients = 3\n[limits]\nretain = 5",
    ],
)
def test_limits_are_a_table(cli: CommandLine, text: str) -> None:
    write(cli, f"port = 0\n{text}")
    found = shown(cli)
    assert (found["max_clients"]["value"], found["retain"]["value"]) == (3, 5.0)
    line = next(n for n, line in enumerate(text.splitlines(), 2) if "max_clients" in line)
    assert found["max_clients"]["where"] == f"{cli.home.config_file}:{line}"


def test_a_daemon_has_the_limits_of_the_table(cli: CommandLine) -> None:
    write(cli, "[limits]\nmax_clients = 2\n")
    cli.start()
    refused = pytest.raises(AssertionError, match="CLIENT_REJECTED")
    with cli.connected("a"), cli.connected("b"), refused, cli.connected("c"):
        pass


def test_a_daemon_starts_with_them(cli: CommandLine) -> None:
    write(cli, "daemon = true\nport = 1\ngrace = 1.5\n")
    cli.ok("start", "--port", "0")
    assert json.loads(cli.home.pid_file.read_text())["grace"] == 1.5
    assert cli.status()["port"] > 1


def test_run_stays_in_the_foreground(cli: CommandLine) -> None:
    write(cli, "daemon = true\nport = 0\n")
    running = cli.begin("run", stdout=-1, stderr=-1)
    assert running.stdout is not None
    assert f"(pid {running.pid})" in running.stdout.readline()
    cli.ok("stop")
    running.communicate()


def test_help_says_where_a_setting_comes_from(cli: CommandLine) -> None:
    shown = " ".join(cli.ok("config", "show", "--help").split())
    assert "the file overrides the preset, the preset overrides the default" in shown
    shown = " ".join(cli.ok("start", "--help").split())
    assert "also an environment variable and, but for --insecure-home, a key of" in shown


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("\nprot = 1", 2, r"prot: unknown setting (is port meant?)"),
        ("max-queue = 1", 1, "max-queue: unknown setting (is max_queue meant?)"),
        ("[server]\nport = 1", 1, "server: unknown setting"),
        ("host.name = 1", 1, "host: expected a string"),
        ("[limits]\n\nmax_client = 1", 3, "unknown setting (is limits.max_clients meant?)"),
        ("[limits]\nmax-queue = 1", 2, "unknown setting (is limits.max_queue meant?)"),
        ("[limits]\nport = 1", 2, "limits.port: unknown setting (is port meant?)"),
        ("[limit]\nmax_clients = 1", 1, "limit: unknown setting (is [limits] meant?)"),
        ("limits = 1", 1, "limits: expected a table, [limits]"),
        ("[[limits]]\nmax_clients = 1", 1, "limits: expected a table, [limits]"),
        ("[limits]\nmax_clients = '2'", 2, "limits.max_clients: expected an integer"),
        ("[limits]\nmax_clients = 0", 2, "limits.max_clients: 0 is not in the range"),
        ("[limits.max_clients]\nx = 0", 1, "limits.max_clients: expected an integer"),
        (
            "max_clients = 1\n[limits]\nmax_clients = 2",
            3,
            "limits.max_clients: line 1 sets it too, as max_clients",
        ),
        ("insecure_home = true", 1, "insecure_home: only an option, --insecure-home, or"),
        ('allow_host = ["*.example"]', 1, "allow_host: '*.example' would have no effect: no Host"),
        ('allow_origin = ["https://*"]', 1, "allow_origin: 'https://*' would have no effect: no"),
        ('grace = 1\nport = "1"', 2, "port: expected an integer"),
        ("port = true", 1, "port: expected an integer"),
        ("port = 1.0", 1, "port: expected an integer"),
        ("port = 65536", 1, "port: 65536 is not in the range"),
        ('grace = "1"', 1, "grace: expected a number"),
        ("grace = nan", 1, "grace: nan is not a valid number of seconds"),
        ("grace = inf", 1, "grace: inf is not in the range"),
        ("rewrite = 1", 1, "rewrite: expected true or false"),
        ("host = 2026-01-01", 1, "host: expected a string"),
        ('host = "a b"', 1, "host: 'a b' is not a host name or an address"),
        ('login_env = "perhaps"', 1, "login_env: 'perhaps' is not one of"),
        ('allow_host = "a"', 1, "allow_host: expected an array of strings"),
        ('\nallow_host = [\n"a",\n1]', 2, "allow_host: expected an array of strings"),
        ('allow_origin = ["a"]', 1, "allow_origin: 'a' is not an origin"),
        ('shell = "no-such-shell"', 1, "shell: 'no-such-shell' is not an executable file"),
        ("port = 1\nport = 2", 2, "Cannot overwrite a value"),
        ("port = 1\n=", 2, "Invalid statement"),
    ],
)
def test_an_error_is_one_line_with_its_line_number(
    cli: CommandLine, text: str, line: int, said: str
) -> None:
    write(cli, text)
    refused = cli.refused("config", "show", code=2)
    assert f"{cli.home.config_file}:{line}: " in refused
    assert said in refused


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_invalid_file_is_refused_even_if_overridden(
    cli: CommandLine, command: list[str]
) -> None:
    write(cli, 'port = "x"\n')
    cli.environment["SHELLWIRE_PORT"] = "0"
    assert "config.toml:1: port: expected" in cli.refused(*command, code=2)
    assert not cli.home.token_file.exists()


def test_other_commands_do_not_read_it(cli: CommandLine) -> None:
    write(cli, "[")
    assert cli("start", "--help").returncode == 0
    assert cli("config", "show", "--help").returncode == 0
    assert cli("status").returncode == 3
    assert cli.ok("token", "rotate")


def test_a_wrong_variable_is_a_bad_option_here_too(cli: CommandLine) -> None:
    cli.environment["SHELLWIRE_PORT"] = "many"
    assert "SHELLWIRE_PORT" in cli.refused("config", "show", code=2)


def test_a_file_that_its_symlink_does_not_find_is_not_ignored(cli: CommandLine) -> None:
    cli.home.ensure()
    cli.home.config_file.symlink_to("elsewhere.toml")
    for command in COMMANDS:
        assert "the file that it links to does not exist" in cli.refused(*command)


def test_a_file_that_cannot_be_read_is_no_bad_option(cli: CommandLine) -> None:
    cli.home.config_file.mkdir(parents=True)
    assert "not a regular file" in cli.refused("config", "show")
