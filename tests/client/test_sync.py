"""The blocking client, and ephemeral daemons."""

from __future__ import annotations

import inspect
import os
import pydoc
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from shellwire import client as asynchronous
from shellwire.client import sync
from shellwire.client.sync import Client
from shellwire.errors import Disconnected, NotFound, StartError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live import Daemon


@pytest.fixture
def c(daemon: Daemon) -> Iterator[Client]:
    """Yield a connected client."""
    with Client(daemon.url, token=daemon.token) as c:
        yield c


def test_closed_after_its_block(daemon: Daemon) -> None:
    with Client(daemon.url, token=daemon.token) as c:
        job = c.stream("echo")
    for use in (lambda: c.run("echo"), c.jobs, lambda: c.read_file(Path("/x")), job.__enter__):
        with pytest.raises(Disconnected, match="this client is closed"):
            use()


@pytest.mark.parametrize("ephemeral", [False, True])
def test_not_open_before_its_block(ephemeral: bool) -> None:
    c = Client.ephemeral() if ephemeral else Client("ws://127.0.0.1:1/ws", token="t")
    for use in (lambda: c.run("echo"), c.jobs, lambda: c.read_file("/x"), lambda: c.shell()):
        with pytest.raises(Disconnected, match="use it in a block"):
            use()


def test_one_block_only(daemon: Daemon) -> None:
    with Client(daemon.url, token=daemon.token) as c:
        with pytest.raises(Disconnected, match="has been used in a block"):
            c.__enter__()
        assert c.run("echo still").stdout == "still\n"
    with pytest.raises(Disconnected, match="has been used in a block"):
        c.__enter__()


def test_pydoc_and_mock_work() -> None:
    assert "Run a command" in pydoc.render_doc(Client)
    mock.create_autospec(Client)


@pytest.mark.parametrize("name", ["Client", "Job", "Context"])
def test_same_methods_as_the_asynchronous_client(name: str) -> None:
    theirs, ours = getattr(asynchronous, name), getattr(sync, name)
    # Constructors, and methods that only a coroutine can use.
    apart = {"at", "close", "begin", "leave", "chunks", "resume", "receive", "fail"}
    apart |= {"closing_message", "next_chunk", "end_with", "is_unanswered"}
    # Methods for programs that show a terminal and do other things meanwhile.
    apart |= {"is_connected", "is_queued", "was_queued", "until_it_runs", "abandon"}
    apart |= {"is_unanswered"}
    named = {each for each in dir(theirs) if not each.startswith("_")} - apart
    instance = {"id", "end", "size", "live_from", "pid"} if name == "Job" else set()
    instance |= {"name"} if name == "Context" else set()
    assert named | instance >= {each for each in dir(ours) if not each.startswith("_")} >= named
    for each in named:
        there, here = getattr(theirs, each), getattr(ours, each)
        if callable(there):
            parameters = inspect.signature(there).parameters
            assert list(inspect.signature(here).parameters) == list(parameters), each


def test_commands(c: Client) -> None:
    assert c.run("cat; exit 3", input="hé").stdout == "hé"
    stream = c.stream("echo out; exit 4")
    assert [chunk.data for chunk in stream] == ["out\n"]
    assert stream.result.exit_code == 4
    for chunk in c.stream("yes"):
        assert chunk.data.startswith("y\n")
        break
    assert c.jobs()[-1].command == "yes"
    assert c.status()["client_id"] == c.client_id


def test_shells(c: Client) -> None:
    with c.shell("read a; echo got $a; read", cols=100) as sh:
        sh.write("x\n")
        seen = ""
        while "got x" not in seen:
            seen += sh.read()
        sh.resize(90, 30)
        sh.signal("INT")
        assert sh.wait().signal == "SIGINT"
        assert sh.read() == ""
    job_id = c.start("cat")
    c.send_input(job_id, "a")
    assert c.read_output(job_id, wait=20).data == "a"
    with c.attach(job_id) as job:
        job.close_stdin()
        assert job.wait().exit_code == 0
        assert job.end == 1
    with c.attach(c.start("sleep 100")) as job:
        job.detach()
    c.kill(job.id)
    with pytest.raises(NotFound):
        c.attach("nothing").wait()


def test_contexts(c: Client) -> None:
    build = c.context(f"sync-{c.client_id}")
    assert build.set(cwd="/usr").cwd == "/usr"
    assert build.run("pwd").stdout == "/usr\n"
    assert [chunk.data for chunk in build.stream("pwd")] == ["/usr\n"]
    with build.shell("pwd") as sh:
        assert sh.read() == "/usr\r\n"
    assert build.get().name == build.name
    assert build.reset().cwd == os.getcwd()


def test_an_interrupt_ends_the_command(c: Client) -> None:
    stream = c.stream("echo begun; sleep 100")
    chunks = iter(stream)
    next(chunks)
    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):  # while waiting for the next line
        next(chunks)
    assert c.attach(stream.id).wait().reason == "killed"


def test_from_several_threads(c: Client) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda n=number: found.append(c.run(f"echo {n}").stdout))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [f"{number}\n" for number in range(8)]


def test_ephemeral(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELLWIRE_URL", "ws://127.0.0.1:1")
    with Client.ephemeral() as c:
        result = c.run("echo $PPID; sleep 100 & echo $!; env | grep SHELLWIRE_URL")
        daemon, left = map(int, result.stdout.split())
        home = Path(os.readlink(f"/proc/{daemon}/fd/2")).parent
        assert home.is_dir()
    for pid in (daemon, left):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert not home.exists()


def test_ephemeral_that_does_not_start() -> None:
    with (
        pytest.raises(StartError, match="no-such-host"),
        Client.ephemeral("--host", "no-such-host"),
    ):
        pytest.fail("it started")
    with pytest.raises(StartError, match="No such option"), Client.ephemeral("--nonsense"):
        pytest.fail("it started")
