"""Every cell of the table of roles, over the wire."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

import pytest

from shellwire.principals import ROLES, TOKEN_ROLES, Role
from shellwire.protocol import codec
from shellwire.protocol.messages import ClientMessage
from shellwire.server.roles import COLUMNS, HTTP, MESSAGES
from tests.server.principals import member, mint
from tests.server.raw import Raw
from tests.server.raw import request as http_request
from tests.server.test_fuzz import REQUIRED, SCHEMA, TYPES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live import Client, Daemon, Message

FIELDS: Message = {**REQUIRED, "name": "unknown", "root": "/nonexistent", "end": 0}
JOB_MESSAGES = [tag for tag in TYPES if "id" in SCHEMA[TYPES[tag]]["required"]]
OF_EXISTING_JOBS = [
    tag for tag in JOB_MESSAGES if not tag.startswith(("fs_", "execute", "start_session"))
]


def request(tag: str, **fields: Any) -> Message:
    """Return a message with its required fields."""
    needed = SCHEMA[TYPES[tag]]["required"]
    return {"type": tag, **{name: FIELDS[name] for name in needed if name != "type"}, **fields}


async def code_of(client: Client, message: Message) -> str | None:
    """Send a message; return the code of the error that answers it, or None."""
    answer = await client.ask(message)
    return answer["code"] if answer["type"] == "error" else None


def test_every_message_is_in_the_table() -> None:
    assert {codec.type_of(kind) for kind in get_args(ClientMessage)} == MESSAGES.keys()
    assert all(row.keys() == set(ROLES) for row in (*MESSAGES.values(), *HTTP.values()))


def test_a_message_that_is_not_in_the_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from shellwire.protocol import messages
    from shellwire.server import roles

    monkeypatch.delitem(roles.MESSAGES, "ping")
    assert messages.Ping not in roles._column("owner")


async def test_the_cells_of_messages(own_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = own_daemon(
        "--max-clients", "9", "--authenticator", "roles_of_test:Roles", env=roles_module(tmp_path)
    )
    other = await member(daemon, "other", client_id="same")
    await other.session(id="theirs", command="cat", name="called", use_pty=True)
    for role in ROLES:
        client = await daemon.client("same", token=f"test-{role}")
        assert client.status["principal"] == {
            "name": f"p-{role}",
            "role": role,
            "via": "test",
            "expires_at": None,
        }
        for tag, row in MESSAGES.items():
            if tag == "stop_daemon" and row[role] != "no":
                continue  # below
            code = await code_of(client, request(tag))
            assert (code == "FORBIDDEN") == (row[role] == "no"), (role, tag, code)
        for tag in OF_EXISTING_JOBS:
            await reach(client, tag, MESSAGES[tag][role], other)
        await client.close()
    admin = await daemon.client(token="test-admin")
    assert (await admin.ask({"type": "stop_daemon"}))["type"] == "ack"
    assert (await admin.closed())[0] == 1001


async def reach(client: Client, tag: str, cell: str, other: Client) -> None:
    """Check what a cell says about another principal's job, by id and by name."""
    if tag in ("kill_session", "cancel_command", "signal") and cell == "all":
        job = await other.session(command="cat")
        assert (await client.ask(request(tag, id=job)))["type"] == "ack"
        await other.until("session_ended", id=job)
        return
    answers = []
    for job in ("theirs", "called", "nobodys"):
        answer = await client.ask(request(tag, id=job))
        text = json.dumps(answer).replace(answer["request_id"], "R").replace(job, "JOB")
        answers.append((answer["type"], text))
    if cell == "all":
        assert [kind == "error" for kind, _ in answers] == [False, False, True], (tag, answers)
        await client.ask({"type": "detach", "id": "theirs"})
    else:
        # Another's job is answered as none at all.
        assert answers[0] == answers[1] == answers[2], (tag, answers)
        assert ("FORBIDDEN" if cell == "no" else "no job has the id JOB") in answers[0][1]


def roles_module(directory: Path) -> dict[str, str]:
    """Write an authenticator: the token ``test-ROLE`` is the principal ``p-ROLE``."""
    (directory / "roles_of_test.py").write_text(
        "from shellwire.credentials import Credential, Elevation\n"
        "from shellwire.principals import TOKEN_ROLES\n"
        "from shellwire.server.identity import Offer, Principal\n"
        "class Roles:\n"
        "    def authenticate(self, offer: Offer) -> Principal | None:\n"
        "        word, _, role = (offer.token or '').partition('-')\n"
        "        if word != 'test':\n"
        "            return None\n"
        "        name, credential = f'p-{role}', None\n"
        "        if role in TOKEN_ROLES:  # raised to what it is, so that the cells stay the same\n"
        "            credential = Credential(\n"
        "                id=role, name=name, principal=name, role=role, created=0,\n"
        "                may_elevate=Elevation(role, 3600.0),\n"
        "            )\n"
        "        return Principal(name, role, 'test', credential=credential)\n"
    )
    return {"PYTHONPATH": str(directory)}


@pytest.mark.parametrize("role", ["owner", *TOKEN_ROLES])
async def test_the_cells_of_http(daemon: Daemon, tmp_path: Path, role: Role) -> None:
    # Without a body PUT writes an empty file, which the others then read and remove.
    token = daemon.token if role == "owner" else await mint(daemon, f"http-{role}", role)
    rows = [f"{method}/files" for method in ("PUT", "GET", "HEAD", "DELETE")]
    for row in [*rows, "GET/health?verbose", "GET/health", "GET/"]:
        method, path = row.split("/", 1)
        target = f"/files{tmp_path}/file" if path == "files" else f"/{path}"
        head = {"Host": "localhost", "Authorization": f"Bearer {token}", "Content-Length": "0"}
        raw = await Raw.open(daemon)
        raw.write(http_request(target, head, method=method))
        status = int((await raw.reader.readuntil(b"\r\n")).split()[1])
        assert status == 403 if HTTP[row][role] == "no" else 200 <= status < 300, (row, status)


def test_the_columns_name_no_message_that_is_refused() -> None:
    for role, column in COLUMNS.items():
        for kind, cell in column.items():
            tag = next(tag for tag, name in TYPES.items() if name == kind.__name__)
            assert cell == MESSAGES[tag][role] != "no"
