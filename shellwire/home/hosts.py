"""The saved logins to daemons: addresses and tokens by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from shellwire.errors import DamagedFile
from shellwire.home.atomic import read_private, write_private
from shellwire.home.lock import write_lock

if TYPE_CHECKING:
    from shellwire.home.paths import Home


class Host(NamedTuple):
    """Address and token of one daemon."""

    url: str
    token: str


def load_hosts(home: Home) -> dict[str, Host]:
    """Return the saved hosts by name. Raises HomeError, DamagedFile."""
    content = read_private(home.hosts_file)
    if content is None:
        return {}
    try:
        saved: dict[str, dict[str, Any]] = json.loads(content)
        found = {name: Host(entry["url"], entry["token"]) for name, entry in saved.items()}
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        found = None
    if found is None or not all(isinstance(part, str) for host in found.values() for part in host):
        raise DamagedFile(f"{home.hosts_file} is damaged: mend or remove it, and log in again")
    return found


def save_host(home: Home, name: str, host: Host) -> None:
    """Save a host; it replaces one of the same name. Raises HomeError."""
    home.ensure()
    with write_lock(home):
        _write(home, {**load_hosts(home), name: host})


def forget_host(home: Home, name: str) -> bool:
    """Remove a host; return whether it existed. Raises HomeError."""
    if name not in load_hosts(home):
        return False
    with write_lock(home):
        _write(home, {each: host for each, host in load_hosts(home).items() if each != name})
    return True


def _write(home: Home, hosts: dict[str, Host]) -> None:
    content = {name: host._asdict() for name, host in sorted(hosts.items())}
    write_private(home.hosts_file, json.dumps(content, indent=2).encode() + b"\n")
