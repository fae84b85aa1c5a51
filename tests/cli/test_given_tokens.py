"""``token create``, ``list`` and ``revoke``, also on another host."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from shellwire.home.hosts import Host, save_host
from tests.cli.command_line import CommandLine

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live import Daemon


def create(cli: CommandLine, *words: str) -> tuple[str, str]:
    """Create a token; return it, and the line on stderr."""
    done = cli("token", "create", *words)
    assert done.returncode == 0, done
    assert done.stdout.count("\n") == done.stderr.count("\n") == 1
    return done.stdout.strip(), done.stderr


def test_create_list_and_revoke(cli: CommandLine) -> None:
    cli.start()
    assert cli.ok("token", "list") == "no tokens of others\n"
    token, said = create(cli, "ci", "--role", "operator", "--ttl", "8h", "--reason", "nightly")
    assert token.startswith("sw1_ci_")
    assert "the daemon's uid" in said
    assert "it is no wall" in said
    assert token not in cli.ok("token", "list")
    assert "nightly" in cli.ok("token", "list")
    assert "LIMITS" not in cli.ok("token", "list")
    (info,) = json.loads(cli.ok("token", "list", "--json"))
    assert (info["name"], info["principal"], info["role"]) == ("ci", "ci", "operator")
    assert info["expires_at"] - info["created_at"] == pytest.approx(8 * 3600)
    create(cli, "ci-2", "--principal", "ci", "--role", "viewer", "--may-elevate", "operator:30m")
    limits = ("--from", "10.0.0.0/8", "--from", "::1/128", "--max-processes", "2")
    assert "LIMITS" in cli.ok("token", "list")
    create(cli, "ci-3", "--role", "viewer", *limits)
    table = cli.ok("token", "list")
    assert "  may-elevate=operator:30min\n" in table
    assert "  from=10.0.0.0/8,::1/128 max-processes=2\n" in table
    cli.ok("token", "revoke", "ci-3")
    assert cli.ok("token", "revoke", "ci") == "revoked token ci\n"
    (info,) = json.loads(cli.ok("token", "list", "--json"))
    assert info["may_elevate"] == {"role": "operator", "ttl_seconds": 1800.0}
    # The owner's own token is another matter.
    assert cli.ok("token").strip() == cli.home.token_file.read_text().strip()


@pytest.mark.parametrize(
    ("role", "worth"),
    [
        ("admin", "the daemon's uid"),
        ("operator", "no wall"),
        ("viewer", "starts nothing"),
        ("metrics", "numbers"),
    ],
)
def test_what_a_role_is_worth(daemon: Daemon, role: str, worth: str) -> None:
    cli = CommandLine(daemon.home)
    token, said = create(cli, f"worth-{role}", "--role", role)
    assert token not in said
    assert worth in said


def test_what_a_token_is_worth_that_must_be_isolated(daemon: Daemon) -> None:
    cli = CommandLine(daemon.home)
    for name, isolate, worth in (
        ("worth-bwrap", "bwrap", "runs nothing on this daemon yet"),
        ("worth-native", "native", "run with the daemon's uid"),
    ):
        _, said = create(cli, name, "--role", "operator", "--isolate", isolate)
        assert worth in said
        assert ("the daemon's uid" in said) == (isolate == "native")


def test_on_another_host(daemon: Daemon, tmp_path: Path) -> None:
    """An admin's token, saved by login, administers as far as the role goes."""
    token, _ = create(CommandLine(daemon.home), "remote", "--role", "admin")
    away = CommandLine(tmp_path / "away")
    save_host(away.home, "box", Host(f"{daemon.url}/ws", token))
    create(away, "-H", "box", "remote-child", "--role", "viewer")
    listed = json.loads(away.ok("token", "list", "-H", "box", "--json"))
    assert {"remote", "remote-child"} <= {each["name"] for each in listed}
    assert next(each for each in listed if each["name"] == "remote-child")["minted_by"] == "remote"
    line = away.refused("token", "create", "-H", "box", "boss", "--role", "admin")
    assert line == "Error: the role admin may not give the role admin\n"
    assert away.ok("token", "revoke", "-H", "box", "remote-child") == "revoked token remote-child\n"
    # Whoever is no owner, is told who he is.
    who = json.loads(away.ok("whoami", "-H", "box", "--json"))
    assert (who["principal"], who["role"]) == ("remote", "admin")
    assert "as remote (admin)" in away.ok("whoami", "-H", "box")


def test_an_expired_name_is_still_taken(daemon: Daemon) -> None:
    cli = CommandLine(daemon.home)
    create(cli, "short", "--role", "viewer", "--ttl", "0.001s")
    words = ("token", "create", "short", "--role", "viewer")
    line = "Error: name: there is a token short already; it has expired: revoke it first\n"
    assert cli.refused(*words) == line
    # What is wrong in itself is said before what others have.
    assert "expected a network" in cli.refused(*words, "--from", "10.0.0.1/8")


def test_a_url_without_its_token(daemon: Daemon, tmp_path: Path) -> None:
    away = CommandLine(tmp_path / "away")
    done = away("token", "list", env={"SHELLWIRE_URL": daemon.url})
    said = "the token is missing or wrong: SHELLWIRE_URL is set, and SHELLWIRE_TOKEN is not"
    assert (done.returncode, done.stderr) == (255, f"Error: {said}\n")


def test_without_a_daemon(cli: CommandLine) -> None:
    cli.home.ensure()
    assert "shellwire is not running" in cli.refused("token", "list", code=255)


def test_a_damaged_file_stops_the_start(cli: CommandLine) -> None:
    cli.home.ensure()
    (cli.home.root / "tokens.json").write_text('{"tokens": [{"id": 1}]}')
    line = cli.refused("start", "--port", "0")
    assert "tokens.json is damaged" in line
    assert "no token in it works until you repair or remove it" in line


def test_clients_of_principals(cli: CommandLine) -> None:
    cli.start()
    assert "PRINCIPAL" not in cli.ok("clients", "list")
    cli.ok("clients", "revoke", "phone", "--principal", "alice")
    assert "PRINCIPAL" in cli.ok("clients", "list")
    assert json.loads(cli.ok("clients", "list", "--json"))[0]["principal"] == "alice"
    assert "phone is not revoked" in cli.refused("clients", "restore", "phone")
    cli.ok("clients", "restore", "phone", "--principal", "alice")


def test_the_preset_of_a_person(cli: CommandLine) -> None:
    first = cli.ok("start", "--daemon", "--port", "0", "--preset", "person", "--max-clients", "3")
    # The daemon runs by now: only its next start can have the preset.
    assert f'put preset = "person" into {cli.home.config_file}: from the next start' in first
    with cli.connected("a"), cli.connected("b"), cli.connected("c"):
        pass
    shown = json.loads(cli("config", "show", "--json", env={"SHELLWIRE_PRESET": "person"}).stdout)
    assert shown["max_clients"] == {"value": 16, "source": "preset", "where": "preset person"}
    assert shown["max_sessions"]["value"] == 16
