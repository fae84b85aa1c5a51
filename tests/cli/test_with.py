"""``shellwire exec --with``: directories synced before and after a command."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from subprocess import PIPE
from typing import TYPE_CHECKING

import click
import pytest

from shellwire.cli.exec import exec_command
from shellwire.home.hosts import Host, save_host
from tests.cli.command_line import SECONDS, CommandLine, ended

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live import Daemon


@pytest.fixture
def box(own_daemon: Callable[..., Daemon], tmp_path: Path) -> CommandLine:
    """Return a command line with a host ``box``, whose user has a home directory of their own."""
    (tmp_path / "user").mkdir()
    daemon = own_daemon("--max-clients", "2", env={"HOME": str(tmp_path / "user")})
    box = CommandLine(tmp_path / "away")
    save_host(box.home, "box", Host(f"{daemon.url}/ws", daemon.token))
    return box


def copies(tmp_path: Path) -> list[Path]:
    """Return the copies on the host."""
    return sorted((tmp_path / "user").glob(".cache/shellwire/with/*/*"))


@pytest.mark.long
def test_sync_before_and_after(box: CommandLine, tmp_path: Path) -> None:
    src, lib = tmp_path / "src", tmp_path / "lib"
    src.mkdir()
    lib.mkdir()
    (src / "run").write_text(
        "#!/bin/sh\nmkdir sub\ncat ../lib/part | tr a-z A-Z >sub/out; rm gone\n"
    )
    (src / "run").chmod(0o755)
    (src / "gone").touch()
    (lib / "part").write_text("part")
    words = ("exec", "-H", "box", "--with", str(src), "--with", str(lib))
    assert box.ok(*words, "./run; pwd").strip() == str(copies(tmp_path)[1])
    assert (src / "sub" / "out").read_text() == "PART"
    assert not (src / "gone").exists()
    (lib / "part").write_text("more")
    done = box(*words, "-C", "sub", "cat ../../lib/part; echo x >new; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "more", "")
    assert (src / "sub" / "new").read_text() == "x\n"
    shutil.rmtree(copies(tmp_path)[0])  # deleted on the host
    assert box.ok(*words, "--clean", "cat ../lib/part; echo y >new") == "more"
    assert (src / "new").read_text() == "y\n"
    assert copies(tmp_path) == []
    assert os.listdir(tmp_path / "user" / ".cache" / "shellwire" / "with") == []
    assert box.ok(*words, "-C", "/", "pwd") == "/\n"
    assert len(copies(tmp_path)) == 2
    assert [each.name for each in copies(tmp_path)] == ["lib", "src"]
    where = tmp_path / "user" / ".cache" / "shellwire" / "with"
    assert stat.S_IMODE(where.stat().st_mode) == 0o700


@pytest.mark.long
def test_from_different_places(box: CommandLine, tmp_path: Path) -> None:
    src, lib, other = tmp_path / "a" / "src", tmp_path / "b" / "lib", tmp_path / "a" / "lib"
    for each in (src, lib, other):
        each.mkdir(parents=True)
        (each / "f").write_text(str(each))
    words = ("exec", "-H", "box")
    both = (f"--with={src}", f"--with={lib}")
    assert box.ok(*words, *both, "pwd; cat f ../lib/f; echo x >../lib/new").endswith(
        f"/src\n{src}{lib}"
    )
    assert (lib / "new").read_text() == "x\n"
    kept = copies(tmp_path)
    assert box.ok(*words, *both[::-1], "cat f ../src/f; echo y >new") == f"{lib}{src}"
    assert (lib / "new").read_text() == "y\n"
    assert copies(tmp_path) == kept
    # Another directory named lib gets another set of copies, although the first one is the same.
    assert box.ok(*words, both[0], f"--with={other}", "cat ../lib/f; ls ../lib") == f"{other}f\n"
    assert sorted(os.listdir(other)) == ["f"]
    box.ok(*words, *both, "--clean", "true")
    assert [each.name for each in copies(tmp_path)] == ["lib", "src"]
    assert len(os.listdir(tmp_path / "user" / ".cache" / "shellwire" / "with")) == 1


def test_refused_directories(box: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "a" / "src").mkdir(parents=True)
    (tmp_path / "src").mkdir()
    user = tmp_path / "user"
    two = (f"--with={tmp_path}/src", f"--with={tmp_path}/a/src")
    for words, why in (
        (("--with", "/"), "--with /: a whole file system can't be synced."),
        (two, f"--with: {tmp_path}/src and {tmp_path}/a/src have the same name."),
    ):
        done = box("exec", "-H", "box", *words, "echo it runs")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"Error: {why} See ")
        assert done.stderr.count("\n") == 1
    assert not (user / ".cache").exists()
    # The directory that contains the copies.
    said = box.refused("exec", "-H", "box", "--with", str(user), "echo it runs", code=255)
    assert said.startswith(f"Error: {user}: can't be synced with {user}/.cache/")
    assert copies(tmp_path) == []


def test_files_missing_in_a_copy_are_not_deleted(box: CommandLine, tmp_path: Path) -> None:
    src = tmp_path / "src"
    (src / "sub").mkdir(parents=True)
    for name in ("a", "b", "sub/c"):
        (src / name).write_text(name)
    words = ("exec", "-H", "box", "--with", str(src))
    box.ok(*words, "true")
    (copy,) = copies(tmp_path)
    (copy / "a").unlink()  # like a cleaner of old cache files
    shutil.rmtree(copy / "sub")
    (src / "b").unlink()
    assert box.ok(*words, "find . -type f | sort") == "./a\n./sub/c\n"
    assert sorted(each.name for each in src.rglob("*")) == ["a", "c", "sub"]


@pytest.mark.long
def test_conflicts(box: CommandLine, tmp_path: Path) -> None:
    src = tmp_path / "src"
    src.mkdir()
    (src / "f").write_text("1")
    words = ("exec", "-H", "box", "--with", str(src))
    # The command changes f on the host, and meanwhile here.
    done = box(*words, "--clean", f"echo there >f; echo here >{src}/f; echo new >g")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "Error: conflict: f: changed on both sides\n"
    assert (src / "f").read_text() == "here\n"
    assert (src / "g").read_text() == "new\n"
    (copy,) = copies(tmp_path)
    assert (copy / "f").read_text() == "there\n"
    done = box(*words, "echo it runs")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.splitlines() == [
        "Error: conflict: f: changed on both sides",
        f"Error: {src} and its copy {copy} differ: the command was not run",
    ]
    (src / "f").write_text("there\n")
    assert box.ok(*words, "cat f; touch f") == "there\n"


@pytest.mark.long
def test_one_after_the_other(box: CommandLine, tmp_path: Path) -> None:
    src, lib = tmp_path / "src", tmp_path / "lib"
    src.mkdir()
    lib.mkdir()
    os.mkfifo(tmp_path / "go")
    words = ("exec", "-H", "box", "--clean", "--with")
    with contextlib.ExitStack() as stack:
        command = f"echo >one; cat {tmp_path}/go >two"
        first = stack.enter_context(ended(box.begin(*words, str(src), f"--with={lib}", command)))
        with open(tmp_path / "go", "w") as go:  # returns once the command runs
            # The same directories in the other order, one of them twice.
            more = (str(lib), f"--with={src}", f"--with={src}/.", "ls ../src")
            second = stack.enter_context(ended(box.begin(*words, *more, stdout=PIPE, stderr=PIPE)))
            assert second.stderr is not None
            assert "waiting for another sync" in second.stderr.readline()
            go.write("two")
        assert second.communicate(timeout=SECONDS)[0] == "one\ntwo\n"
        assert (first.wait(SECONDS), second.returncode) == (0, 0)
    assert copies(tmp_path) == []


def test_usage(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    for words in (["--clean"], ["--with", f"{tmp_path}/no"], ["--with", f"{tmp_path}/f"]):
        with pytest.raises(click.UsageError):
            exec_command.main([*words, "true"], standalone_mode=False)


@pytest.mark.long
def test_deletions_by_the_command_and_vanished_copies(box: CommandLine, tmp_path: Path) -> None:
    src = tmp_path / "src"
    src.mkdir()
    for number in range(30):
        (src / f"{number:02}").write_text("x")
    words = ("exec", "-H", "box", "--with", str(src))
    box.ok(*words, "rm 0* 1*")
    assert len(os.listdir(src)) == 10
    for command in ("rm -f *", 'rm -rf "$PWD"'):  # like an unmounted disk
        done = box(*words, command)
        assert (done.returncode, done.stdout) == (3, "")
        copy = next((tmp_path / "user").glob(".cache/shellwire/with/*")) / "src"
        assert done.stderr.startswith(f"Error: {copy} is ")
        assert len(os.listdir(src)) == 10
    assert box(*words, "rm -f *; exit 7").returncode == 7
    assert box.ok(*words, "ls | wc -l").strip() == "10"  # they were copied again
    shutil.rmtree(src)
    src.mkdir()
    done = box(*words, "echo it runs")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"Error: {src} is empty, ")
    assert len(os.listdir(copy)) == 10
