"""What a user may type wrong, and what he then reads: one line on stderr, and an exit code.

Each change that adds a command or an option adds its rows here. ``test_bad_input.py`` runs them.
"""

from __future__ import annotations

from typing import NamedTuple

_NAME = "1 to 32 characters: a to z, 0 to 9 and, not first, `.`, `_`, `-`"
_DURATION = "is not a number with its unit, such as 90s, 30m, 8h or 7d."


class Row(NamedTuple):
    """One wrong input. ``line`` is the whole line after ``Error: ``, without a hint to --help."""

    words: tuple[str, ...]
    line: str
    code: int
    needs_daemon: bool = False


def _usage(words: str, line: str) -> Row:
    return Row(tuple(words.split()), line, 2)


def _refused(words: str, line: str) -> Row:
    return Row(tuple(words.split()), line, 1, needs_daemon=True)


ROWS = (
    _usage("token create", "Missing argument 'NAME'."),
    _usage(
        "token create ci",
        "Missing option '--role'. Choose from: admin, operator, viewer, metrics.",
    ),
    _usage(
        "token create ci --role boss",
        "Invalid value for '--role': 'boss' is not one of 'admin', 'operator', 'viewer',"
        " 'metrics'.",
    ),
    _usage("token create CI --role viewer", f"Invalid value for 'NAME': 'CI' is not {_NAME}."),
    _usage(
        "token create ci --role viewer --principal a/b",
        f"Invalid value for '--principal': 'a/b' is not {_NAME}.",
    ),
    _usage(
        "token create ci --role viewer --ttl soon",
        f"Invalid value for '--ttl': 'soon' {_DURATION}",
    ),
    _usage(
        "token create ci --role viewer --ttl 0",
        f"Invalid value for '--ttl': '0' {_DURATION}",
    ),
    _usage(
        "token create ci --role viewer --ttl 8",
        f"Invalid value for '--ttl': '8' {_DURATION}",
    ),
    _usage(
        "token create ci --role viewer --may-elevate admin:8",
        f"Invalid value for '--may-elevate': '8' {_DURATION}",
    ),
    _usage(
        "token create ci --role viewer --may-elevate admin",
        "Invalid value for '--may-elevate': 'admin' is not ROLE:TTL, as operator:30m.",
    ),
    _usage(
        "token create ci --role viewer --may-elevate owner:1h",
        "Invalid value for '--may-elevate': 'owner:1h' is not ROLE:TTL, as operator:30m.",
    ),
    _usage(
        "token create ci --role viewer --max-processes 0",
        "Invalid value for '--max-processes': 0 is not in the range 1<=x<=9007199254740991.",
    ),
    _usage(
        "token create ci --role viewer --token x",
        "No such option '--token'. (Did you mean one of: '--on', '--role'?).",
    ),
    _usage("token revoke", "Missing argument 'NAME'."),
    _usage("start --preset robot", "Invalid value for '--preset': 'robot' is not 'person'."),
    _usage(
        "start --authenticator module",
        "Invalid value for '--authenticator': 'module' is not MODULE:NAME.",
    ),
    Row(
        ("start", "--port", "0", "--authenticator", "no_such_module:Name"),
        "--authenticator no_such_module:Name can't be made: ModuleNotFoundError: No module named"
        " 'no_such_module'",
        1,
    ),
    _refused("token create owner --role viewer", "name: owner is reserved"),
    _refused("token create ci --role viewer --principal owner", "principal: owner is reserved"),
    _refused(
        "token create ci --role viewer --from here",
        "from: expected a network such as 10.0.0.0/8: 'here' does not appear to be an IPv4 or IPv6"
        " network",
    ),
    _refused(
        "token create ci --role viewer --from 10.0.0.1/8",
        "from: expected a network, 10.0.0.0/8, got 10.0.0.1/8",
    ),
    _refused(
        "token create ci --role viewer --isolate magic",
        "isolate: expected native, bwrap, docker:IMAGE, podman:IMAGE or nspawn:DIR",
    ),
    _refused(
        "token create ci --role viewer --may-elevate operator:2d",
        "may_elevate.ttl_seconds: expected a number <= 86400.0",
    ),
    _refused(
        "token create ci --role operator --may-elevate viewer:1h",
        "may_elevate.role: expected a role above operator: admin",
    ),
    _refused(
        "token create ci --role operator --may-elevate operator:1h",
        "may_elevate.role: expected a role above operator: admin",
    ),
    _refused(
        "token create ci --role viewer --may-elevate metrics:1h",
        "may_elevate.role: expected a role above viewer: admin or operator",
    ),
    _refused(
        "token create ci --role admin --may-elevate admin:1h",
        "may_elevate.role: an admin can't be raised: no role is above it",
    ),
    _refused("token revoke ci", "there is no token ci"),
    _usage("elevate", "Missing option '--reason'."),
    _usage(
        "elevate --reason x --ttl soon",
        f"Invalid value for '--ttl': 'soon' {_DURATION}",
    ),
    _usage(
        "elevate --reason x --ttl 8",
        f"Invalid value for '--ttl': '8' {_DURATION}",
    ),
    _usage("elevate --reason x --role admin", "No such option '--role'. Did you mean '--on'?"),
    _refused("elevate --reason INC-1234", "the owner needs no elevation: no role is above it"),
    _refused("elevate --reason INC-123", "reason: expected a string of length >= 8"),
    _usage("clients kick", "Missing argument 'CLIENT_ID'."),
    _usage("clients kick phone", "Missing option '--reason'."),
    _usage(
        "clients kick phone --reason x --for ever",
        f"Invalid value for '--for': 'ever' {_DURATION}",
    ),
    _usage(
        "clients kick phone --reason x --for 10",
        f"Invalid value for '--for': '10' {_DURATION}",
    ),
    _refused("clients kick nobody --reason x", "no client nobody of owner is connected"),
    _refused(
        "clients kick phone --reason x --principal a/b",
        "principal: expected a name of 1 to 32 characters: a to z, 0 to 9 and, not first, `.`,"
        " `_`, `-`",
    ),
    _refused(
        "clients kick phone --reason x --for 366d",
        "bar_seconds: expected a number <= 31536000.0",
    ),
    Row(
        ("clients", "kick", "phone", "--reason", " "),
        "reason: expected more than blanks",
        1,
        needs_daemon=True,
    ),
    _usage("kill --reason x", "Missing argument 'ID'."),
    _refused("kill nothing --reason x", "no job has the id nothing"),
)
