"""What each role may do: one table of messages and HTTP requests by role.

``all``: with the jobs and contexts of every principal. ``own``: with the principal's own; for
another's the answer is the same as for one that does not exist. ``no``: FORBIDDEN, before anything
is looked up.

What is not in the table is refused, and a test fails. A message added later gets its row here. The
rules: ``share``, ``take_input`` and ``release_input`` as ``resize``; ``list_contexts`` and
``watch_jobs`` as ``list_jobs``; ``query_audit``, ``kick_client`` and ``restart`` as
``stop_daemon``; tunnels owner and admin, operator by policy; recordings as ``read_output``;
``/metrics`` as ``/health?verbose``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast, get_args

from shellwire.errors import ClientRejected, Forbidden
from shellwire.principals import OWNER, ROLES, Role
from shellwire.protocol import messages

if TYPE_CHECKING:
    from collections.abc import Mapping

Cell = Literal["all", "own", "no"]

_MESSAGES = """
                  owner  admin  operator  viewer  metrics  guest-observer  guest-peer
ping              all    all    all       all     all      all             all

execute           all    all    own       no      no       no              no
start_session     all    all    own       no      no       no              no
send_input        all    all    own       no      no       no              own
resize            all    all    own       no      no       no              own
signal            all    all    own       no      no       no              no
cancel_command    all    all    own       no      no       no              no
kill_session      all    all    own       no      no       no              no

attach            all    all    own       all     no       own             own
detach            all    all    own       all     no       own             own
credit            all    all    own       all     no       own             own
read_output       all    all    own       all     no       own             own
list_jobs         all    all    own       all     no       no              no
list_sessions     all    all    own       all     no       no              no

get_context       all    all    own       no      no       no              no
set_context       all    all    own       no      no       no              no
reset_context     all    all    own       no      no       no              no

stat_directory    all    all    own       no      no       no              no
fs_root_info      all    all    own       no      no       no              no
fs_stat           all    all    own       no      no       no              no
fs_list           all    all    own       no      no       no              no
fs_read           all    all    own       no      no       no              no
fs_glob           all    all    own       no      no       no              no
fs_search         all    all    own       no      no       no              no
fs_write          all    all    own       no      no       no              no
fs_write_start    all    all    own       no      no       no              no
fs_write_chunk    all    all    own       no      no       no              no
fs_write_finish   all    all    own       no      no       no              no
fs_mkdir          all    all    own       no      no       no              no
fs_delete         all    all    own       no      no       no              no
fs_rename         all    all    own       no      no       no              no

elevate           no     own    own       own     own      no              no
list_clients      all    all    no        no      no       no              no
kick_client       all    all    no        no      no       no              no
create_token      all    all    no        no      no       no              no
list_tokens       all    all    no        no      no       no              no
revoke_token      all    all    no        no      no       no              no
reload            all    all    no        no      no       no              no
stop_daemon       all    all    no        no      no       no              no
"""

_HTTP = """
                  owner  admin  operator  viewer  metrics  guest-observer  guest-peer
GET/              all    all    all       all     all      all             all
GET/ws            all    all    all       all     all      all             all
GET/health        all    all    all       all     all      all             all
GET/health?verbose all   all    no        no      all      no              no
GET/files         all    all    own       no      no       no              no
HEAD/files        all    all    own       no      no       no              no
PUT/files         all    all    own       no      no       no              no
DELETE/files      all    all    own       no      no       no              no
"""


def _parse(table: str) -> dict[str, dict[Role, Cell]]:
    head, *rows = [line.split() for line in table.splitlines() if line]
    if tuple(head) != ROLES:
        raise ValueError(f"the columns are {head}")
    parsed = {}
    for name, *cells in rows:
        if not set(cells) <= set(get_args(Cell)):
            raise ValueError(f"the row of {name} is {cells}")
        parsed[name] = cast("dict[Role, Cell]", dict(zip(ROLES, cells, strict=True)))
    return parsed


MESSAGES = _parse(_MESSAGES)
"""The cells of each message, by its type on the wire and by role."""

HTTP = _parse(_HTTP)
"""The cells of each HTTP request, by method and path and by role."""

MINTS: Mapping[Role, frozenset[Role]] = {
    "owner": frozenset({"admin", "operator", "viewer", "metrics"}),
    "admin": frozenset({"operator", "viewer", "metrics"}),
}
"""The roles that a role may give to others, in a token or by ``may_elevate``."""

Column = dict[type, Cell]


def reaches(column: Column, kind: type, *, own: bool) -> bool:
    """Whether the column allows a message of this kind about a job that is ``own``, or not."""
    cell = column.get(kind)
    return cell == "all" or (cell == "own" and own)


def may_touch(role: Role, principal: str) -> bool:
    """Whether ``role``, which may administer, may act on the clients of ``principal``.

    Nobody acts upward: only the owner acts on the owner's clients.
    """
    return principal != OWNER or role == "owner"


def _column(role: Role) -> Column:
    """Return what ``role`` may do: a cell for each class of messages but those that are ``no``."""
    kinds = get_args(messages.ClientMessage)
    cells = {kind: MESSAGES.get(kind.__struct_config__.tag, {}).get(role, "no") for kind in kinds}
    return {kind: cell for kind, cell in cells.items() if cell != "no"}


COLUMNS: Mapping[Role, Column] = {role: _column(role) for role in ROLES}
"""What each role may do, by class of message; a class that is missing is refused."""


def check_takeover(role: Role, old: Role | None) -> None:
    """Raise ClientRejected if a client with ``role`` may not replace one with the role ``old``.

    The jobs that a client left with ``on_disconnect: kill`` end when its replacement leaves. So who
    can't run jobs does not replace who can.
    """
    if old is not None and messages.Execute in COLUMNS[old].keys() - COLUMNS[role].keys():
        raise ClientRejected("a client with this client_id, whose role may run jobs, is connected")


def check_http(role: Role, request: str) -> None:
    """Raise Forbidden unless ``role`` may send this HTTP request, such as ``GET/files``."""
    if HTTP.get(request, {}).get(role, "no") == "no":
        raise Forbidden(f"the role {role} may not {request.replace('/', ' /', 1)}")
