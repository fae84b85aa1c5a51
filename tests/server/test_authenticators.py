"""Authenticators of the daemon's user: the example in SECURITY.md, and what they may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shellwire.errors import Expired
from shellwire.server.identity import Authenticators, Offer, Principal, is_within, within_any
from tests.docs.document import Document
from tests.server.principals import administer, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live import Daemon


async def test_the_example(own_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    section = "An authenticator of your own"
    (block,) = [b for b in Document("SECURITY.md").of_kind("python") if b.heading == section]
    (tmp_path / "lab.py").write_text(block.text)
    daemon = own_daemon("--authenticator", "lab:Lab", env={"PYTHONPATH": str(tmp_path)})
    lab = await daemon.client("lab", token="the lab's word")
    who = {"name": "lab", "role": "viewer", "via": "lab", "expires_at": None}
    assert lab.status["principal"] == who
    assert (await lab.run("echo")).last["code"] == "FORBIDDEN"
    assert (await lab.ask({"type": "list_jobs"}))["jobs"] == []
    # The built-in ones still work, and a reload asks again.
    await administer(daemon, "reload")
    assert (await lab.ask({"type": "ping"}))["type"] == "pong"
    assert await refused(daemon, "another word") == ("INVALID_TOKEN", 4005)
    owner = await daemon.client("owner")
    assert owner.status["principal"]["role"] == "owner"
    await lab.close()
    await owner.close()


async def test_it_is_asked_again_after_a_reload(
    own_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    (tmp_path / "changing.py").write_text(
        "import os\n"
        "from shellwire.errors import Expired\n"
        "from shellwire.server.identity import Principal\n"
        "class Changing:\n"
        "    def authenticate(self, offer):\n"
        "        if not (offer.token or '').startswith('word'):\n"
        "            return None\n"
        f"        if os.path.exists('{tmp_path}/over'):\n"
        "            raise Expired('it is over')\n"
        f"        role = 'viewer' if os.path.exists('{tmp_path}/less') else 'operator'\n"
        "        return Principal(offer.token, role, 'changing')\n"
    )
    daemon = own_daemon("--authenticator", "changing:Changing", env={"PYTHONPATH": str(tmp_path)})
    client = await daemon.client("c", token="word")
    assert (await client.run("echo ran")).out == "ran\n"
    (tmp_path / "less").touch()
    await administer(daemon, "reload")
    assert (await client.closed())[0] == 1008
    client = await daemon.client("c", token="word")
    assert (await client.run("echo ran")).last["code"] == "FORBIDDEN"
    (tmp_path / "over").touch()
    await administer(daemon, "reload")
    assert await client.closed() == (4008, "it is over")
    assert await refused(daemon, "word") == ("EXPIRED", 4008)


class _Knows:
    def __init__(self, token: str, name: str) -> None:
        self._token, self._name = token, name

    def authenticate(self, offer: Offer) -> Principal | None:
        if offer.token == "over":
            raise Expired("over")
        return Principal(self._name, "viewer", "test") if offer.token == self._token else None


def test_the_first_that_knows_decides() -> None:
    all_of_them = Authenticators(_Knows("a", "first"), _Knows("a", "second"), _Knows("b", "third"))
    found = [all_of_them.authenticate(Offer("::1", token)) for token in ("a", "b", "c", None)]
    assert [each and each.name for each in found] == ["first", "third", None, None]
    with pytest.raises(Expired):
        all_of_them.authenticate(Offer("::1", "over"))


@pytest.mark.parametrize(
    ("address", "network", "is_in"),
    [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("::ffff:10.1.2.3", "10.0.0.0/8", True),
        ("fe80::1%eth0", "fe80::/10", True),
        ("10.1.2.3", "::/0", False),
        ("?", "0.0.0.0/0", False),
    ],
)
def test_addresses_in_networks(address: str, network: str, is_in: bool) -> None:
    assert is_within(address, (network,)) == is_in


@pytest.mark.parametrize(
    ("network", "wider", "is_in"),
    [
        ("10.1.0.0/16", "10.0.0.0/8", True),
        ("10.0.0.0/8", "10.0.0.0/8", True),
        ("0.0.0.0/0", "10.0.0.0/8", False),
        ("fd00::/16", "fd00::/8", True),
        ("10.0.0.0/8", "::/0", False),
    ],
)
def test_networks_in_networks(network: str, wider: str, is_in: bool) -> None:
    assert within_any(network, (wider,)) == is_in
