"""File messages: compatible answers, in order, in bounded memory."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import TYPE_CHECKING, Any

from shellwire.server.files.queue import MAX_WAITING
from shellwire.server.sources import MAX_FILE_REPLIES
from tests.server.observe import memory
from tests.server.raw import Raw

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live import Daemon
    from tests.server.file_client import FileClient


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


# Answers -----------------------------------------------------------------------------------------


async def test_answers_have_the_fields_that_deployed_clients_read(fs: FileClient) -> None:
    digest = hashlib.sha256(b"hi").hexdigest()
    entry = {"name", "relative_path", "is_directory", "size", "last_modified"}
    ours = {"path", "is_symlink", "mode", "mtime", "target", "ctime", "inode", "device"}
    info = await fs("root_info")
    assert info.keys() == {"root", "display_name", "capabilities"}
    assert (info["root"], info["display_name"]) == (str(fs.root), "root")
    written = await fs("write", path="d/f", content_base64=encoded(b"hi"))
    assert written.keys() == {"entry", "hash"}
    assert written["entry"].keys() == entry | ours
    assert written["hash"] == digest
    assert await fs("stat", path="d/f") == written["entry"]
    assert (await fs("stat"))["is_directory"]
    listed = await fs("list", path="d")
    assert listed == {"path": "d", "entries": [written["entry"]], "truncated": False}
    (fs.root / "d/g").symlink_to("f")
    (fs.root / "d/no").symlink_to("../no\udcff")
    targets = {each["name"]: each["target"] for each in (await fs("list", path="d"))["entries"]}
    assert targets == {"f": None, "g": "f", "no": "../no\uefff"}
    assert (await fs("stat", path="d/g"))["target"] == "f"
    for name in ("g", "no"):
        (fs.root / "d" / name).unlink()
    found = fs.root / "d/f"
    assert written["entry"]["last_modified"] == found.stat().st_mtime_ns // 1_000_000
    assert await fs("read", path="d/f") == {
        "path": "d/f",
        "offset": 0,
        "length_read": 2,
        "next_offset": 2,
        "eof": True,
        "content_base64": encoded(b"hi"),
        "size": 2,
        "mtime": found.stat().st_mtime_ns // 1_000_000,
        "hash": digest,
        "is_binary": False,
    }
    piece = await fs("read", path="d/f", length=1)
    assert (piece["next_offset"], piece["eof"], piece["hash"]) == (1, False, "")
    assert (await fs("mkdir", path="e"))["entry"]["is_directory"]
    assert (await fs("rename", path="d/f", new_path="e/g"))["entry"]["path"] == "e/g"
    assert await fs("delete", path="d") == {"deleted": True}
    assert await fs("delete", path="d") == {"deleted": False}
    assert (await fs("glob")).keys() == {"matches", "truncated"}
    assert await fs("search", query="HI") == {
        "results": [
            {
                "path": "e/g",
                "name": "g",
                "line_number": 1,
                "line_content": "hi",
                "match_start": 0,
                "match_end": 2,
            }
        ],
        "truncated": False,
    }


async def test_errors_have_codes(fs: FileClient) -> None:
    (fs.root / "f").write_text("x")
    (fs.root / "d/e").mkdir(parents=True)
    os.mkfifo(fs.root / "fifo")
    (fs.root / "out").symlink_to("/etc")
    cases: list[tuple[str, str, dict[str, Any]]] = [
        ("NOT_FOUND", "stat", {"path": "none"}),
        ("NOT_FOUND", "stat", {"root": "/nowhere"}),
        ("NOT_FOUND", "search", {"path": "none", "query": "x"}),
        ("NOT_FOUND", "write", {"path": "n/f", "content_base64": "", "create_parents": False}),
        ("NOT_DIRECTORY", "list", {"path": "f"}),
        ("NOT_DIRECTORY", "mkdir", {"path": "f"}),
        ("NOT_DIRECTORY", "root_info", {"root": str(fs.root / "f")}),
        ("NOT_FILE", "read", {"path": "d"}),
        ("NOT_FILE", "read", {"path": "fifo"}),
        ("NOT_FILE", "write", {"path": "fifo", "content_base64": ""}),
        ("IS_DIRECTORY", "write", {"path": "d", "content_base64": ""}),
        ("IS_DIRECTORY", "write_start", {"path": ""}),
        ("INVALID_ARGUMENT", "stat", {"root": "relative"}),
        ("INVALID_ARGUMENT", "read", {"path": "f", "offset": -1}),
        ("INVALID_ARGUMENT", "write", {"path": "f", "content_base64": "?"}),
        ("INVALID_ARGUMENT", "delete", {"path": "", "recursive": True}),
        ("INVALID_ARGUMENT", "rename", {"path": "f", "new_path": ""}),
        ("INVALID_ARGUMENT", "search", {"query": ""}),
        ("INVALID_ARGUMENT", "glob", {"pattern": "x" * 5000}),
        ("INVALID_ARGUMENT", "stat", {"path": "x" * 4097}),
        ("PATH_ESCAPE", "read", {"path": "../f"}),
        ("PATH_ESCAPE", "list", {"path": "out"}),
        ("PATH_ESCAPE", "stat", {"path": "/etc"}),
        ("PATH_ESCAPE", "rename", {"path": "f", "new_path": "out/f"}),
        ("CONFLICT", "write", {"path": "f", "content_base64": "", "expected_hash": "0" * 64}),
        ("CONFLICT", "write_start", {"path": "g", "expected_hash": "0" * 64}),
        ("INVALID_REGEX", "search", {"query": "[", "regex": True}),
        ("UPLOAD_NOT_FOUND", "write_chunk", {"upload_id": "x", "content_base64": ""}),
        ("UPLOAD_NOT_FOUND", "write_finish", {"upload_id": "x"}),
        ("FS_OS_ERROR", "delete", {"path": "d"}),
        ("INVALID_MESSAGE", "stat", {"path": "a\0b"}),
        ("INVALID_MESSAGE", "read", {"path": None}),
        ("INVALID_MESSAGE", "read", {"path": "f", "offset": "0"}),
    ]
    for code, operation, fields in cases:
        assert (await fs.code(operation, **fields), operation, fields) == (code, operation, fields)
    assert sorted(os.listdir(fs.root)) == ["d", "f", "fifo", "out"]
    assert (fs.root / "f").read_text() == "x"


async def test_a_large_file_in_pieces(fs: FileClient) -> None:
    data = os.urandom(3_000_000)
    started = await fs("write_start", path="big")
    assert started["bytes_written"] == 0
    upload = started["upload_id"]
    for at in range(0, len(data), 700_000):
        chunk = encoded(data[at : at + 700_000])
        progress = await fs("write_chunk", upload_id=upload, content_base64=chunk)
        assert progress == {"bytes_written": min(len(data), at + 700_000)}
    assert not (fs.root / "big").exists()
    digest = hashlib.sha256(data).hexdigest()
    assert (await fs("write_finish", upload_id=upload))["hash"] == digest
    found, eof = b"", False
    while not eof:
        piece = await fs("read", path="big", offset=len(found), length=10**9)
        found += base64.b64decode(piece["content_base64"])
        assert piece["length_read"] <= 768 * 1024
        eof = piece["eof"]
    assert found == data
    assert piece["hash"] == digest


async def test_long_contents_are_base64_as_a_whole(fs: FileClient) -> None:
    data = os.urandom(1_000_001)
    text = encoded(data)
    assert (await fs("write", path="f", content_base64=text))["entry"]["size"] == len(data)
    assert (fs.root / "f").read_bytes() == data
    # Padding is valid only at the end, and no other character anywhere.
    for wrong in (encoded(data[:196_607]) + text, text + text, text[:500_000] + "\n" + text):
        assert await fs.code("write", path="f", content_base64=wrong) == "INVALID_ARGUMENT"
    assert (fs.root / "f").read_bytes() == data


async def test_names_of_any_bytes_return(fs: FileClient) -> None:
    for name in (b"\xff\xfe", b"caf\xe9", "\uef80".encode(), "\uefbf\uefee".encode(), b"a\nb"):
        (fs.root / os.fsdecode(name)).write_bytes(name)
    for entry in (await fs("list"))["entries"]:
        piece = await fs("read", path=entry["path"])
        name = base64.b64decode(piece["content_base64"])
        new = await fs("rename", path=entry["path"], new_path=f"new {entry['name']}")
        assert b"new " + name in os.listdir(os.fsencode(fs.root))
        assert new["entry"]["name"] == f"new {entry['name']}"
    assert len(os.listdir(fs.root)) == 5


# Order and memory --------------------------------------------------------------------------------


async def test_messages_are_executed_in_order(fs: FileClient) -> None:
    for number in range(100):
        content = encoded(b"%d" % number)
        await fs.client.send(fs.message("write", path="f", content_base64=content))
        await fs.client.send(fs.message("read", path="f"))
    for number in range(100):
        (await fs.client.until("fs_result", operation="fs_write"))
        (read,) = await fs.client.until("fs_result", operation="fs_read")
        assert base64.b64decode(read["result"]["content_base64"]) == b"%d" % number


async def test_a_client_that_does_not_read_costs_no_more_than_its_answers(
    daemon: Daemon, tmp_path: Path
) -> None:
    (tmp_path / "f").write_bytes(os.urandom(768 * 1024))
    raw = await Raw.client(daemon, "slow")
    before = memory(daemon)
    question = {"type": "fs_read", "id": "f", "root": str(tmp_path), "path": "f", "length": 10**6}
    for _ in range(200):
        raw.send(question)
    observer = await daemon.client()
    # Once another client has had many answers, all of these would have been made.
    for _ in range(100):
        await observer.ask({**question, "id": "o"})
    assert memory(daemon) - before < 40 * MAX_FILE_REPLIES
    answers = 0
    while answers < 200:
        answers += (await raw.receive())["type"] == "fs_result"
    await observer.close()


async def test_a_keystroke_does_not_wait_behind_answers(fs: FileClient, daemon: Daemon) -> None:
    (fs.root / "f").write_bytes(os.urandom(768 * 1024))
    session = await fs.client.session(command="stty raw -echo; echo ready; exec cat", use_pty=True)
    await fs.client.output_until(session, "ready")
    questions = 60
    for number in range(questions):
        await fs.client.send({**fs.message("read", path="f", length=10**6), "id": f"q{number}"})
    await fs.client.send({"type": "send_input", "id": session, "data": "key"})
    before = 0
    while (message := await fs.client.receive())["type"] != "output":
        before += message["type"] == "fs_result"
    assert message["data"] == "key"
    assert before < questions
    await fs.client.send({"type": "kill_session", "id": session})


async def test_many_messages_at_once_are_all_answered(fs: FileClient) -> None:
    (fs.root / "f").touch()
    times = 4 * MAX_WAITING
    for _ in range(times):
        await fs.client.send(fs.message("stat", path="f"))
    await fs.client.send({"type": "ping"})
    for _ in range(times):
        await fs.client.until("fs_result")
