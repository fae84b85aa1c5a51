"""A start that can't honour a security option stops: input, the line on stderr, exit code."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from shellwire.cli import main
from shellwire.cli.options import ALL_SETTINGS, LIMITS
from shellwire.cli.param_types import IntegerRange
from shellwire.cli.setting import Setting
from tests.windows.test_imports import on_windows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.command_line import CommandLine

NO_VARIABLE = "it is about security, so nothing is started"

# Options, variables, the line (in part), the exit code.
ROWS: list[tuple[list[str], dict[str, str], str, int]] = [
    ([], {"SHELLWIRE_ALLOW_ORIGINS": "https://a"}, NO_VARIABLE, 2),
    ([], {"SHELLWIRE_ALOW_HOST": "a"}, NO_VARIABLE, 2),
    ([], {"SHELLWIRE_allow_host": "a"}, "(is SHELLWIRE_ALLOW_HOST meant?)", 2),
    ([], {"SHELLWIRE_HOTS": "::1"}, NO_VARIABLE, 2),
    ([], {"SHELLWIRE_INSECURE_HOM": "1"}, NO_VARIABLE, 2),
    ([], {"SHELLWIRE_INSECURE_HOME": "maybe"}, "'maybe' is not a valid boolean", 2),
    ([], {"SHELLWIRE_INSECURE_PLAINTEXT": "2"}, "'2' is not a valid boolean", 2),
    (["--host", "0.0.0.0"], {}, "nothing is encrypted", 1),
    (["--host", "0.0.0.0"], {"SHELLWIRE_INSECURE_PLAINTEXT": "0"}, "nothing is encrypted", 1),
    (["--host", "::ffff:192.0.2.1"], {}, "nothing is encrypted", 1),
    (["--allow-host", "*"], {}, "'*' would have no effect: no Host header can match it.", 2),
    (["--allow-host", "a:b:c"], {}, "'a:b:c' would have no effect", 2),
    ([], {"SHELLWIRE_ALLOW_HOST": "a,*.example"}, "SHELLWIRE_ALLOW_HOST", 2),
    (["--allow-origin", "https://*.example"], {}, "no Origin header can match it.", 2),
    (["--allow-origin", "https://a@b"], {}, "'https://a@b' would have no effect", 2),
]


@pytest.mark.parametrize(
    ("flags", "variables", "said", "code"), ROWS, ids=[f"{row[0]}{row[1]}" for row in ROWS]
)
def test_the_start_stops(
    cli: CommandLine, flags: list[str], variables: dict[str, str], said: str, code: int
) -> None:
    cli.environment |= variables
    assert said in cli.refused("start", "--daemon", "--port", "0", *flags, code=code)
    assert not cli.home.root.exists()


def test_localhost_must_be_loopback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def look_up(*_: object) -> list[Any]:
        return [(0, 0, 0, "", (host, 0)) for host in ("127.0.0.1", "192.0.2.1")]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)  # as hosts(5) of another machine may do
    flags = ["start", "--daemon", "--port", "0", "--host", "localhost"]
    result = CliRunner().invoke(main, flags, env={"SHELLWIRE_HOME": str(tmp_path / "home")})
    assert result.exit_code == 1
    assert "localhost is not a loopback address" in result.output


def test_localhost_is_accepted(cli: CommandLine) -> None:
    assert cli.start("--host", "localhost")["running"]


@pytest.mark.parametrize("variables", [{}, {"SHELLWIRE_INSECURE_HOME": "1"}])
def test_a_home_that_stays_open_to_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str]
) -> None:
    # vfat and some network file systems accept chmod(2) and ignore it.
    monkeypatch.setattr("pathlib.Path.chmod", lambda *_: None)
    tmp_path.chmod(0o755)
    os.chmod(tmp_path, 0o755)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SHELLWIRE_HOME", str(tmp_path))
    result = CliRunner().invoke(main, ["clients", "revoke", "x"])
    assert result.exit_code == (0 if variables else 1)
    assert ("does not keep it private" in result.output) == (not variables)


def test_a_value_that_this_platform_cannot_honour() -> None:
    setting = Setting(
        "max_clients", IntegerRange(), "Text.", LIMITS, unsupported={2: "it has no second one"}
    )
    command = click.Command("x", params=[setting], callback=lambda max_clients: max_clients)
    run = CliRunner().invoke
    assert run(command, ["--max-clients", "1"], default_map={}).exit_code == 0
    for given in (
        run(command, ["--max-clients", "2"], default_map={}),
        run(command, [], env={"SHELLWIRE_MAX_CLIENTS": "2"}, default_map={}),
        run(command, [], default_map={"max_clients": 2}),
    ):
        assert given.exit_code == 2
        assert "it can't be honoured here: it has no second one." in given.output
    with pytest.raises(click.BadParameter, match="no second one"):
        setting.from_toml(2, click.Context(command))


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--insecure-home", "on Windows no owner is checked"),
        ("--login-env=always", "Windows has no login shell"),
    ],
)
def test_on_windows(tmp_path: Path, flag: str, said: str) -> None:
    home = str(tmp_path / "home")
    done = on_windows("-m", "shellwire", "start", "--daemon", flag, SHELLWIRE_HOME=home)
    assert done.returncode == 2
    assert f"it can't be honoured here: {said}" in done.stderr
    assert done.stderr.count("\n") == 1


def test_which_options_are_about_security() -> None:
    assert [setting.name for setting in ALL_SETTINGS if setting.security] == [
        "host",
        "allow_host",
        "allow_origin",
        "authenticator",
        "insecure_plaintext",
        "insecure_home",
    ]
