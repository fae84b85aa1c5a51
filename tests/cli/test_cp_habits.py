"""``shellwire cp``: names as scp treats them, special targets, and error messages."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from shellwire.cli.files.stream_target import StreamTarget, open_stream_target
from shellwire.client.files.paths import child, name_absolutely
from shellwire.errors import Conflict, FileSystemError
from tests.cli.command_line import PROGRAM, SECONDS, CommandLine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def f(tmp_path: Path) -> Path:
    (tmp_path / "f").write_text("content\n")
    return tmp_path / "f"


@pytest.mark.long
def test_missing_parent_directories_are_not_created(
    box: CommandLine, f: Path, tmp_path: Path
) -> None:
    (tmp_path / "d").mkdir()
    for end in ("box:", ""):
        source = f"{f}" if end else f"box:{f}"
        no, file = tmp_path / "nodir", tmp_path / "f"
        for words, why in (
            ((source, f"{end}{no}/x"), f"{end}{no}/x: there is no directory {no}"),
            ((source, f"{end}{no}/"), f"{end}{no}/: there is no directory {no}"),
            ((source, source, f"{end}{no}"), f"{end}{no}: there is no directory {no}"),
            (
                ("-r", f"box:{tmp_path}/d", f"{end}{no}/x"),
                f"{end}{no}/x: there is no directory {no}",
            ),
            ((source, f"{end}{file}/"), f"{end}{file}/: is not a directory"),
        ):
            assert box.refused("cp", *words) == f"Error: {why}\n"
            assert sorted(os.listdir(tmp_path)) == ["away", "d", "f"] or not end
    said = box.refused("cp", str(f), "box:shellwire-no-such-directory/x")
    assert said.endswith(": there is no directory shellwire-no-such-directory\n")


@pytest.mark.long
def test_to_stdout_and_devices(box: CommandLine, f: Path, tmp_path: Path) -> None:
    assert box.ok("cp", f"box:{f}", "/dev/stdout") == "content\n"
    assert box.ok("cp", f"box:{f}", "/dev/fd/1") == "content\n"
    assert box.ok("cp", f"box:{f}", "/dev/null") == ""
    full = box.refused("cp", f"box:{f}", "/dev/full")
    assert full == "Error: /dev/full: no space left on device\n"
    # A file to which stdout is redirected is appended to, not replaced.
    log = tmp_path / "log"
    log.write_text("old\n")
    with log.open("a") as out:
        words = [*PROGRAM, "cp", f"box:{f}", "/dev/stdout"]
        subprocess.run(words, env=box.environment, stdout=out, timeout=SECONDS, check=True)
    assert log.read_text() == "old\ncontent\n"
    os.mkfifo(tmp_path / "fifo")
    with subprocess.Popen(["cat", tmp_path / "fifo"], stdout=subprocess.PIPE) as reader:
        box.ok("cp", f"box:{f}", f"{tmp_path}/fifo")
        assert reader.communicate(timeout=SECONDS)[0] == b"content\n"


def test_a_stream_target_can_not_restart() -> None:
    source, target = os.pipe()
    with open(source, "rb") as reader, StreamTarget(target, "/dev/stdout") as passage:
        assert (passage.read(10), passage.truncate()) == (b"", 0)
        assert passage.write(b"half") == 4
        with pytest.raises(Conflict, match="/dev/stdout: the file changed"):
            passage.truncate()
        assert reader.read(4) == b"half"


def test_which_paths_are_streams(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    for path in (tmp_path, tmp_path / "f", tmp_path / "no", tmp_path / "f" / "no"):
        assert open_stream_target(str(path)) is None
    for name in ("/dev/fd/987654", "/proc/self/fd/99999999999999999999"):
        with pytest.raises(OSError, match="Bad file descriptor"):
            open_stream_target(name)


@pytest.mark.long
def test_the_entries_of_the_parent_directory(box: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / "f").write_text("f")
    for number, (source, end) in enumerate(
        (f"{start}{tmp_path}/d/sub/..{slash}", end)
        for start, end in (("box:", ""), ("", "box:"), ("box:", "box:"))
        for slash in ("", "/")
    ):
        target = tmp_path / f"existing-{number}"
        target.mkdir()
        box.ok("cp", "-r", source, f"{end}{target}")
        assert sorted(os.listdir(target)) == ["f", "sub"]


def test_a_file_without_a_size(box: CommandLine, tmp_path: Path) -> None:
    box.ok("cp", "/proc/version", f"box:{tmp_path}/up")
    box.ok("cp", "box:/proc/version", f"{tmp_path}/down")
    with open("/proc/version") as file:
        wanted = file.read()
    assert (tmp_path / "up").read_text() == (tmp_path / "down").read_text() == wanted
    # A system error that names no file is reported with the name of the source.
    said = box.refused("cp", "/proc/self/mem", f"box:{tmp_path}/mem")
    assert said.startswith("Error: /proc/self/mem: ")


@pytest.mark.long
def test_times_before_1970(box: CommandLine, tmp_path: Path) -> None:
    source, there, back = (tmp_path / name for name in ("source", "there", "back"))
    source.mkdir()
    for name, when in (("a", -1), ("b", -86_400 * 10**9 - 123_456_789), ("c", 0)):
        (source / name).write_text(name)
        os.utime(source / name, ns=(when, when))
    os.utime(source, ns=(1, -1_500_000_000))
    box.ok("cp", "-rp", str(source), f"box:{there}")
    box.ok("cp", "-rp", f"box:{there}", str(back))
    box.ok("cp", "-p", f"box:{there}/b", f"box:{tmp_path}/b2")
    box.ok("sync", str(source), f"box:{tmp_path}/synced")
    for top in (there, back, tmp_path / "synced"):
        times = {each.name: each.stat().st_mtime_ns for each in source.iterdir()}
        assert {name: (top / name).stat().st_mtime_ns for name in times} == times
    assert (tmp_path / "b2").stat().st_mtime_ns == -86_400 * 10**9 - 123_456_789
    assert there.stat().st_mtime_ns == back.stat().st_mtime_ns == -1_500_000_000


@pytest.mark.parametrize("name", ["../x", "..", "", "a/b"])
def test_a_hostile_name_is_reported_with_its_host(name: str) -> None:
    with pytest.raises(FileSystemError, match=r"^box:/srv: contains "):
        child("/srv", name, "box:")


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ("srv/f: not found", "/srv/f"),
        ("srv/caf\\xe9: not found", "/srv/caf\udce9"),
        ("srv/e\\x1b]0;x\\x07: not found", "/srv/e\x1b]0;x\x07"),
        (f"{'x' * 200}…: the name is too long", "/" + "x" * 300),
    ],
)
def test_messages_about_a_path_name_its_host(said: str, path: str) -> None:
    assert name_absolutely(said, path, "box:") == f"box:/{said}"


def test_warnings_are_no_errors(box: CommandLine, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    os.mkfifo(os.fsencode(here) + b"/caf\xe9")
    (here / "out").symlink_to("/etc")
    for _ in range(2):
        done = box("sync", str(here), f"box:{tmp_path}/there")
        assert done.returncode == 0
        assert sorted(done.stderr.splitlines()) == [
            r"Warning: caf\xe9: neither file nor directory, and not synced",
            "Warning: out: a symlink that leads out, and not synced",
        ]
    (here / "out").unlink()
    (here / os.fsdecode(b"new \xff")).write_text("x")
    assert box("sync", str(here), f"box:{tmp_path}/there").stdout == "push new \\xff\n"
