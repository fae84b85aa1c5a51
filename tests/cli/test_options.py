"""Every setting is a flag, a variable and a key of the file, checked before anything happens."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from shellwire.cli.options import SETTINGS
from shellwire.home.paths import Home
from shellwire.home.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.command_line import CommandLine


def parse(*flags: str, **variables: str) -> Settings:
    """Return the settings that these flags and variables result in."""
    found: list[Settings] = []

    @click.command(params=list(SETTINGS))
    def command(**settings: Any) -> None:
        found.append(Settings(**settings))

    env = {"SHELLWIRE_HOME": "/no/home", **variables}
    result = CliRunner().invoke(command, flags, env=env, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return found[0]


def test_the_defaults() -> None:
    assert parse() == Settings()


def test_only_the_variable_that_is_wrong_is_named(cli: CommandLine) -> None:
    flag, variable = ("--port", "abc"), {"SHELLWIRE_PORT": "x"}
    assert "SHELLWIRE_PORT" not in cli("start", *flag).stderr
    assert "SHELLWIRE_PORT" not in cli("start", *flag, env=variable).stderr
    assert "(env var: 'SHELLWIRE_PORT')" in cli("start", env=variable).stderr


def test_a_host_comes_after_the_command(cli: CommandLine) -> None:
    refused = cli.refused("-H", "box", "whoami", code=2)
    assert "No such option '-H' here: it goes after the command." in refused


def test_every_setting_has_a_flag_and_a_variable(cli: CommandLine) -> None:
    text = " ".join(cli.ok("start", "--help-all").split())
    names = [field.name for field in fields(Settings) if field.name != "given"]
    for name in names:
        assert f"--{name.replace('_', '-')} " in text
        assert f"env var: SHELLWIRE_{name.upper()}" in text
    assert {setting.name for setting in SETTINGS} == set(names)


def test_a_flag_beats_a_variable_beats_the_file_beats_a_default(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.config_file.write_text("port = 1\nmax_queue = 2\ngrace = 3\nrewrite = false\n")
    variables = {"SHELLWIRE_HOME": str(tmp_path), "SHELLWIRE_PORT": "4", "SHELLWIRE_MAX_QUEUE": "5"}
    settings = parse("--port", "6", **variables)
    assert settings == Settings(port=6, max_queue=5, grace=3.0, rewrite=False)
    assert parse("--rewrite", **variables).rewrite


def test_lists() -> None:
    assert parse("--allow-host", "a", "--allow-host", "::1").allow_host == ("a", "::1")
    assert parse(SHELLWIRE_ALLOW_HOST="a, b c,,").allow_host == ("a", "b", "c")
    origins = "https://a.example,app://b:1"
    assert parse(SHELLWIRE_ALLOW_ORIGIN=origins).allow_origin == ("https://a.example", "app://b:1")


def test_levels_in_any_case() -> None:
    assert parse("--log-level", "debug").log_level == "DEBUG"


def test_a_shell_by_name_becomes_a_path() -> None:
    shell = parse("--shell", "sh").shell
    assert shell is not None
    assert shell.endswith("/sh")
    assert parse("--shell", shell).shell == shell


def test_a_switch_from_a_variable() -> None:
    assert parse(SHELLWIRE_INSECURE_PLAINTEXT="1").insecure_plaintext
    assert not parse(SHELLWIRE_INSECURE_PLAINTEXT="0").insecure_plaintext


def test_a_switch_that_is_on_by_default() -> None:
    assert parse().rewrite
    assert not parse("--no-rewrite").rewrite
    assert not parse(SHELLWIRE_REWRITE="0").rewrite
    assert parse("--rewrite", SHELLWIRE_REWRITE="0").rewrite


@pytest.mark.parametrize(
    "flags",
    [
        ["--port", "65536"],
        ["--port", "-1"],
        ["--port", "http"],
        ["--port", "9" * 5000],
        ["--host", ""],
        ["--host", "a b"],
        ["--host", "http://127.0.0.1"],
        ["--log-level", "LOUD"],
        ["--max-processes", "0"],
        ["--max-queue", "-1"],
        ["--max-clients", "0"],
        ["--max-output", "64MiB"],
        ["--buffer", "0"],
        ["--shell", "no-such-shell"],
        ["--shell", "/"],
        ["--login-env", "perhaps"],
        ["--grace", "nan"],
        ["--grace", "inf"],
        ["--grace", "-1"],
        ["--grace", "5s"],
        ["--ping-interval", "0"],
        ["--allow-host", "a,b"],
        ["--allow-origin", "example.com"],
        ["--allow-origin", "https://example.com/path"],
        ["--no-such-flag"],
        ["stray"],
    ],
    ids=lambda flags: " ".join(flags)[:40],
)
def test_a_bad_option_exits_2(flags: list[str]) -> None:
    from shellwire.cli import main

    result = CliRunner().invoke(main, ["start", "--daemon", *flags], env={"SHELLWIRE_HOME": "/no"})
    assert result.exit_code == 2
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1


def test_a_bad_variable_is_named(cli: CommandLine) -> None:
    cli.environment["SHELLWIRE_PORT"] = "many"
    line = cli.refused("start", "--daemon", code=2)
    assert "SHELLWIRE_PORT" in line
    assert "'many' is not a valid integer." in line
    assert not cli.home.root.exists()


def test_an_unknown_variable_is_reported(cli: CommandLine) -> None:
    cli.environment |= {
        "SHELLWIRE_PROT": "1",
        "SHELLWIRE_\x1b[2J": "",
        # Other commands and jobs use these.
        "SHELLWIRE_TOKEN": "1",
        "SHELLWIRE_URL": "1",
        "SHELLWIRE_JOB": "1",
    }
    for command in (["config", "show"], ["start", "--daemon", "--port", "0"]):
        done = cli(*command)
        assert done.returncode == 0
        assert done.stderr == (
            "Warning: SHELLWIRE_\\x1b[2J is no known variable\n"
            "Warning: SHELLWIRE_PROT is no known variable (is SHELLWIRE_PORT meant?)\n"
        )
    assert cli.ok("token")
